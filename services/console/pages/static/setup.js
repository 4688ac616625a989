// What the set-up pages gain when scripts run; each of them works without.

// A text that is being written is shown as it would be read, a moment after the last key.
let waiting;
addEventListener("input", (event) => {
  const form = event.target.closest("form[data-live]");
  if (!form) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const frame = document.querySelector("iframe.letter");
    const fresh = frame.cloneNode();
    fresh.removeAttribute("src"); // a new frame adds nothing to the history of the page
    frame.replaceWith(fresh);
    form.requestSubmit(form.querySelector("[data-preview]"));
  }, 400);
});

// A secret that is shown once is copied by its button.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    await navigator.clipboard.writeText(field.value);
    button.textContent = button.dataset.copied;
  });
}
