// Keys for the whole product: "g" and a letter opens a page, "?" tells all of them. Everybody may switch them off.
const typing = "input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]";
let going = 0;

addEventListener(
  "keydown",
  (event) => {
    const off = document.documentElement.dataset.keys === "off";
    if (off || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(`${typing}, dialog`)) return;
    const page = performance.now() < going && document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    going = 0;
    if (page) page.click();
    else if (event.key === "g") going = performance.now() + 1500;
    else if (event.key === "?") document.getElementById("keys")?.click();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  true,
);
