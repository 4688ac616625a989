// What pages gain when scripts run; each of them works without.

// A choice in a filter shows its result at once.
addEventListener("change", (event) => {
  const form = event.target.closest("form[data-sends]");
  if (event.target.matches(".day > [type=date]")) {
    const typed = event.target.parentElement.querySelector("input");
    typed.value = event.target.value.split("-").reverse().join("/");
    typed.dispatchEvent(new Event("change", { bubbles: true }));
  } else if (form && event.target.matches("select, .day > input")) form.requestSubmit();
});

// The browser's own calendar opens beside a day that is typed.
addEventListener("click", (event) => {
  const day = event.target.closest("[data-calendar]")?.parentElement;
  if (!day) return;
  event.preventDefault();
  const [typed, calendar] = day.querySelectorAll("input");
  const [number, month, year] = typed.value.split(/\D/);
  calendar.value = year?.length === 4 ? `${year}-${month.padStart(2, "0")}-${number.padStart(2, "0")}` : "";
  calendar.showPicker();
});

// "/" goes to the search; single letters press the button that names them, unless somebody is typing.
addEventListener("keydown", (event) => {
  if (document.documentElement.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), select, textarea, dialog")) return;
  const named = /^[a-z]$/.test(event.key) ? `[data-key="${event.key}"]` : event.key === "Enter" && event.target === document.body ? "[data-enter]" : "";
  const button = named && document.querySelector(named);
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

// A form that was sent is not sent twice by a double click. One that acts stays where it is when it is refused.
addEventListener("submit", (event) => {
  const form = event.target;
  if (event.submitter?.formTarget) return; // a look in a frame
  if (form.dataset.sent) event.preventDefault();
  else if (form.method === "post") {
    form.dataset.sent = "yes";
    if ("act" in form.dataset) {
      event.preventDefault();
      act(form, event.submitter);
    }
  }
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

async function act(form, submitter) {
  const told = new FormData(form, submitter);
  try {
    const action = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
    const answer = await fetch(action, { method: "post", body: told, headers: { "x-relance-act": "1" } });
    if (answer.ok && answer.headers.get("content-type")?.includes("json")) {
      const { next } = await answer.json();
      if (next === location.pathname + location.search) location.reload();
      else location.assign(next);
      return;
    }
    if (answer.redirected) return location.reload();
    show(form, await answer.text());
  } catch {
    show(form, document.getElementById("away").innerHTML);
  }
  delete form.dataset.sent;
}
function show(form, words) {
  const place = form.querySelector(".refused") ?? form.appendChild(Object.assign(document.createElement("div"), { className: "refused" }));
  place.replaceChildren(new DOMParser().parseFromString(words, "text/html").body.firstElementChild);
  const field = place.firstElementChild?.dataset.field;
  const wrong = field && form.querySelector(`[name="${CSS.escape(field)}"]`);
  for (const each of form.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
  wrong?.setAttribute("aria-invalid", "true");
  place.scrollIntoView({ block: "nearest" });
}

// A dialog opens from its button, and says which of the ticked lines it is about.
const commands = "command" in HTMLButtonElement.prototype;
addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  const dialog = opener && document.getElementById(opener.dataset.opens);
  if (dialog) about(dialog);
  if (dialog && !commands) dialog.showModal();
  if (event.target.closest("[data-closes]") && (!commands || !event.target.closest("[commandfor]"))) event.target.closest("dialog").close();
});
const hashed = location.hash && document.getElementById(location.hash.slice(1));
if (hashed && hashed.matches("dialog")) {
  about(hashed);
  hashed.showModal();
}
function about(dialog) {
  const place = dialog.querySelector("[data-items]");
  if (!place) return;
  const ticked = [...document.querySelectorAll("[data-item]:checked")];
  place.textContent = ticked.length ? place.dataset.some.replace("#", ticked.length) : place.dataset.none;
  for (const box of ticked) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "item", value: box.value });
    place.append(field);
  }
  const amount = dialog.querySelector("[data-sum]");
  if (!amount || !ticked.length) return;
  const { currency, places } = ticked[0].dataset;
  const sum = ticked.reduce((total, box) => total + Number(box.dataset.minor), 0);
  amount.value = (sum / 10 ** places).toFixed(places).replace(".", document.documentElement.lang === "fr" ? "," : ".");
  dialog.querySelector("[name=currency]").value = currency;
}
addEventListener("change", (event) => {
  const all = event.target.closest("[data-all]");
  if (!all) return;
  for (const box of document.querySelectorAll(all.dataset.all === "item" ? "[data-item]" : `[name="${all.dataset.all}"]`)) box.checked = all.checked;
});

// What a link tells in a few lines opens over the page.
addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-part]");
  const dialog = document.getElementById("part");
  if (!link || !dialog || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const answer = await fetch(link.href, { headers: { "x-relance-part": "1" } });
  dialog.ariaLabel = link.ariaLabel ?? link.textContent;
  dialog.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.children);
  dialog.showModal();
});

// Parts of a payment: what is left over runs along with what is ticked and typed.
const places = Number(document.querySelector("[data-left]")?.dataset.places ?? 2);
const minor = (words) => Math.round(Number(words.replace(/[\s\u00a0']/g, "").replace(",", ".")) * 10 ** places) || 0;
const typed = (amount) => (amount / 10 ** places).toFixed(places).replace(".", document.documentElement.lang === "fr" ? "," : ".");
addEventListener("input", (event) => {
  const form = event.target.closest("form[data-splits]");
  if (!form) return;
  const rows = [...form.querySelectorAll("tbody tr")].map((row) => ({ box: row.querySelector("[type=checkbox]"), amount: row.querySelector(".amount"), there: row.querySelector(".there") }));
  const row = rows.find(({ box, amount }) => event.target === box || event.target === amount);
  const whole = Number(document.querySelector("[data-left]").dataset.minor);
  const others = rows.reduce((sum, { box, amount }) => (box.checked && amount !== row?.amount ? sum + minor(amount.value) : sum), 0);
  if (event.target === row?.box && row.there) {
    // In another currency: all that it owes is suggested, what of the payment that is only a person knows.
    row.there.value = row.box.checked ? row.there.dataset.owes.replace(".", document.documentElement.lang === "fr" ? "," : ".") : "";
    row.amount.value = "";
    if (row.box.checked) row.amount.focus();
  } else if (event.target === row?.box) row.amount.value = row.box.checked ? typed(Math.max(0, Math.min(Number(row.box.dataset.owed), whole - others))) : "";
  else if (event.target === row?.amount) row.box.checked = row.amount.value.trim() !== "";
  const left = whole - others - (row?.box.checked ? minor(row.amount.value) : 0);
  const told = form.querySelector("[data-remains]");
  told.textContent = typed(left);
  told.classList.toggle("bad", left < 0);
});
