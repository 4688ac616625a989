// What pages gain when scripts run; each of them works without.

// A choice in a filter shows its result at once.
addEventListener("change", (event) => {
  const form = event.target.closest("form[data-sends]");
  if (form && event.target.matches("select, input[type=date]")) form.requestSubmit();
});

// "/" goes to the search; single letters press the button that names them, unless somebody is typing.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  const button = /^[a-z]$/.test(event.key) && document.querySelector(`[data-key="${event.key}"]`);
  if (event.key === "/") document.getElementById("finder")?.focus();
  else if (button) button.click();
  else if (event.key === "j" || event.key === "k") {
    const lines = [...document.querySelectorAll(".queue .who")];
    const next = lines[lines.findIndex((line) => line.ariaCurrent) + (event.key === "j" ? 1 : -1)];
    if (next) next.click();
  } else return;
  event.preventDefault();
});

// A menu closes on Escape and on a click elsewhere.
addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
});
addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// A form that was sent is not sent twice by a double click.
addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  else if (form.method === "post") form.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A dialog opens from its button.
addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
});
