// A block that scrolls can be reached by the keyboard: not every browser does that by itself.
document.addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll("pre, .card, .table-wrapper")) {
    block.tabIndex = 0;
  }
});
