// What the theme leaves out for people who do not see the page, or use no mouse.
document.addEventListener("DOMContentLoaded", () => {
  // A block that scrolls can be reached by the keyboard: not every browser does that by itself.
  for (const block of document.querySelectorAll("pre, .card, .table-wrapper")) {
    block.tabIndex = 0;
  }
  for (const caption of document.querySelectorAll(".caption[role=heading]")) {
    caption.setAttribute("aria-level", "2");
  }
});
