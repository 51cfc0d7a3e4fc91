// What the theme leaves without a name or out of the keyboard's reach (WCAG 2.2, 4.1.2 and 2.1.1).
addEventListener("DOMContentLoaded", () => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  const reach = () => {
    for (const box of document.querySelectorAll(".md-typeset__scrollwrap")) box.tabIndex = 0;
    document.querySelectorAll(".md-code__nav").forEach((nav, index) => {
      nav.setAttribute("aria-label", `Code block ${index + 1}`);
    });
  };
  // The theme wraps tables and adds buttons to code after the page has loaded.
  new MutationObserver(reach).observe(document.querySelector(".md-content") ?? document.body, {
    childList: true,
    subtree: true,
  });
  reach();
});
