"""Sections: what stored results show, as blocks of no format yet; pages, files and terminals draw them."""
