"""Registries: the members of one concept by name, those of installed packages included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module, metadata
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from moola_core.errors import SpecError, nearest

T = TypeVar("T")


def import_members(package: str, path: Iterable[str]) -> None:
    """Import every module of a package by its name and ``__path__``, so that each registers its member."""
    for module in iter_modules(path):
        import_module(f"{package}.{module.name}")


class Registry(Mapping[str, T], Generic[T]):
    """The members of one concept, by name, in the order in which they were added.

    Parameters
    ----------
    concept : str
        What a member is, in the singular: ``"metric"``. Used in error messages.
    group : str, optional
        Entry point group under which installed packages offer members, for example ``"moola.metrics"``. An entry point is
        loaded when the registry is first read; loading it must call :meth:`add` or :meth:`register`.

    Examples
    --------
    >>> colours = Registry("colour")
    >>> colours.add("red", 0xFF0000)
    16711680
    >>> list(colours)
    ['red']
    >>> colours["rod"]
    Traceback (most recent call last):
        ...
    moola_core.errors.SpecError: unknown colour 'rod'. Did you mean red?
    """

    def __init__(self, concept: str, group: str = "") -> None:
        self.concept, self.group = concept, group
        self._members: dict[str, T] = {}
        self._loaded = not group

    def add(self, name: str, member: T) -> T:
        """Add a member.

        Parameters
        ----------
        name : str
            The name by which settings and commands ask for it.
        member : object
            The member.

        Returns
        -------
        object
            `member`.

        Raises
        ------
        SpecError
            When the name is empty or taken.
        """
        if not name or name in self._members:
            raise SpecError(f"a {self.concept} called {name!r} cannot be added.", hint="Give it a name of its own.")
        self._members[name] = member
        return member

    def register(self, name: str) -> Callable[[Any], Any]:
        """A decorator that adds what it decorates under `name`."""

        def decorate(member: Any) -> Any:
            return self.add(name, member)

        return decorate

    def remove(self, name: str) -> None:
        """Take a member out again, as tests do with members of their own."""
        del self._members[name]

    def __getitem__(self, name: str) -> T:
        """The member. Raises SpecError, which names the nearest known name, when there is none of that name."""
        self._load()
        if name not in self._members:
            raise SpecError(f"unknown {self.concept} {name!r}.", hint=nearest(name, self._members))
        return self._members[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The member, or `default` when there is none of that name."""
        self._load()
        return self._members.get(name, default)

    def resolve(self, name: str) -> T:
        """A member by its name, or a class that was never registered by where it is defined.

        Parameters
        ----------
        name : str
            A member's name, or ``package.module:Name``.

        Returns
        -------
        object
            The member, or what ``Name`` is in the module.

        Raises
        ------
        SpecError
            When there is no such member, or the module or the name in it cannot be imported.

        Examples
        --------
        >>> Registry("counter").resolve("collections:Counter")
        <class 'collections.Counter'>
        """
        module, colon, attribute = name.partition(":")
        if not colon:
            return self[name]
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise SpecError(
                f"the {self.concept} {name} cannot be imported: {error}.",
                hint="Install its package, and write it as package.module:Name.",
            ) from None

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(tuple(self._members))

    def __len__(self) -> int:
        self._load()
        return len(self._members)

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True
            for point in metadata.entry_points(group=self.group):
                point.load()
