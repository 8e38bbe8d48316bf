// What scrolls sideways can be scrolled by keys too, and the theme's headings of the menu say their level.
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("article pre, article .math, article .cell_output, article p:has(> img)")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
  for (const heading of document.querySelectorAll('[role="heading"]:not([aria-level])')) heading.ariaLevel = 2;
});
