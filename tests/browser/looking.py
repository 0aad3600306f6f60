"""What is looked for on a page: breaches of WCAG that axe-core finds, boxes that lie on each other, and texts that are cut off."""

from __future__ import annotations

from importlib import resources
from typing import Any

AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
# What Streamlit's own markup brings, and no page can change: the rule, and where in the document it holds.
STREAMLITS = (
    ("list", "stSidebarNav"),  # its sections are <div> in a <ul>
    ("listitem", "stSidebarNav"),
    ("empty-table-header", "stDataFrame"),  # the column of check marks
    ("scrollable-region-focusable", "stTable"),  # a narrow page scrolls its tables by touch alone
)
RUN_AXE = """async () => {
    const found = await axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'] });
    const within = target => {
        const names = [], deep = target.flat();
        for (let one = document.querySelector(deep[0]); one; one = one.parentElement) if (one.dataset.testid) names.push(one.dataset.testid);
        return names;
    };
    return found.violations.flatMap(one => one.nodes.map(node => ({
        rule: one.id, within: within(node.target), target: node.target.flat().join(' '), html: node.html.slice(0, 160), why: node.failureSummary.slice(0, 300),
    })));
}"""
# Texts and controls that are drawn, each in the box of its own lines; inside other frames of the page they may scroll.
BOXES = """() => {
    const roots = [document.querySelector('[data-testid=stMain]')];
    for (const one of roots[0].querySelectorAll('*')) if (one.shadowRoot) roots.push(one.shadowRoot);
    const shown = element => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
    const skipped = '[data-testid=stDataFrame],.js-plotly-plot,svg,canvas,dialog,[aria-hidden=true],[data-testid=stTooltipHoverTarget],[class*=legend],[data-baseweb=select]';
    const items = [];
    for (const root of roots) for (const one of root.querySelectorAll('button,input,label,h1,h2,h3,h4,h5,p,td,th,li,.place,summary')) {
        if (!shown(one) || one.closest(skipped) || one.type === 'range') continue;
        const range = document.createRange();
        range.selectNodeContents(one);
        const control = ['BUTTON', 'INPUT'].includes(one.tagName);
        const whole = control ? one.getBoundingClientRect() : range.getBoundingClientRect();
        const box = { left: whole.left, right: whole.right, top: whole.top, bottom: whole.bottom };
        // What a scrolling part of the page hides is not on top of anything.
        for (let at = one.parentElement; at && at !== roots[0]; at = at.parentElement) {
            if (!['auto', 'scroll', 'hidden'].includes(getComputedStyle(at).overflowX)) continue;
            const part = at.getBoundingClientRect();
            box.left = Math.max(box.left, part.left);
            box.right = Math.min(box.right, part.right);
        }
        if (box.right - box.left < 2 || box.bottom - box.top < 2) continue;
        const style = getComputedStyle(one);
        const cut = !control && style.overflow !== 'visible' && (one.scrollWidth > one.clientWidth + 1) && style.overflowX !== 'auto' && style.overflowX !== 'scroll';
        items.push({ one, box, cut, text: (one.innerText || one.getAttribute('aria-label') || '').trim().slice(0, 50) });
    }
    const problems = items.filter(item => item.cut && item.text).map(item => `cut: ${item.text}`);
    const width = roots[0].clientWidth, left = roots[0].getBoundingClientRect().left;
    for (const { box, text } of items) {
        if (box.right > left + width + 1) problems.push(`beyond the right edge: ${text}`);
    }
    for (let i = 0; i < items.length; i++) for (let j = i + 1; j < items.length; j++) {
        const a = items[i], b = items[j];
        if (a.one.contains(b.one) || b.one.contains(a.one) || a.one.parentElement === b.one.parentElement && a.one.tagName === 'LABEL') continue;
        const wide = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
        const high = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
        if (wide > 3 && high > 3) problems.push(`on each other: ${a.one.tagName} ${a.text} | ${b.one.tagName} ${b.text}`);
    }
    return problems;
}"""


def breaches(page: Any) -> list[str]:
    """What axe-core finds, without what is Streamlit's own."""
    page.evaluate(AXE)
    return [
        f"{one['rule']}: {one['html']} · {one['why']}"
        for one in page.evaluate(RUN_AXE)
        if not any(one["rule"] == rule and place in one["within"] for rule, place in STREAMLITS)
    ]


def boxes(page: Any) -> list[str]:
    """Texts and controls that lie on each other, are cut off or stand beyond the page's right edge."""
    return list(page.evaluate(BOXES))
