// What is live on the pages: balances by server-sent events, lists by asking again, forms without leaving.
"use strict";

const shown = (text, digits) => {
  const [whole, part = ""] = text.replace("-", "").split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const decimals = part.padEnd(digits, "0").slice(0, digits);
  return (text.startsWith("-") ? "−" : "") + grouped + (digits ? "." + decimals : "");
};

const put = (element, text, negative) => {
  if (element.textContent === text) return;
  element.textContent = text;
  element.classList.toggle("negative", negative);
  element.classList.remove("changed");
  void element.offsetWidth; // so that the animation begins anew
  element.classList.add("changed");
};

// Asks for the page again and puts in place the parts named by their ids.
const refresh = async (ids) => {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ids) {
    const [before, after] = [document.getElementById(id), fresh.getElementById(id)];
    if (!before || !after || before.contains(document.activeElement)) continue;
    if (before.innerHTML !== after.innerHTML) before.innerHTML = after.innerHTML;
  }
};

const quietly = (promise) => promise.catch(() => document.body.classList.add("off"));

const every = new Map();
for (const part of document.querySelectorAll("[data-refresh-every]")) {
  const seconds = Number(part.dataset.refreshEvery);
  every.set(seconds, [...(every.get(seconds) ?? []), part.id]);
}
for (const [seconds, ids] of every) setInterval(() => quietly(refresh(ids)), seconds * 1000);

// The time by which bills and mails happen, which on a demonstration's clock is not the day's.
const clock = document.querySelector("[data-now]");
const tick = async () => {
  if (document.hidden) return;
  const answer = await fetch("/now");
  if (!answer.ok) return;
  const { now, is_real } = await answer.json();
  clock.querySelector("time").textContent = now.slice(0, 16).replace("T", " ") + " UTC";
  clock.querySelector("[data-now-name]").textContent = is_real ? "Now" : "Demo clock";
  clock.hidden = false;
};
if (clock && !document.querySelector("form[action='/login']")) {
  quietly(tick());
  setInterval(() => quietly(tick()), 2000);
}

for (const wallet of document.querySelectorAll("[data-stream]")) {
  const of = encodeURIComponent(wallet.dataset.of);
  const digits = wallet.dataset.currency === "JPY" ? 0 : 2;
  const state = wallet.querySelector("[data-live-state]");
  const balance = new EventSource(`/v1/stream/balance/${of}`);
  balance.addEventListener("open", () => { state.textContent = "live"; wallet.classList.remove("off"); });
  balance.addEventListener("error", () => { state.textContent = "reconnecting"; wallet.classList.add("off"); });
  balance.addEventListener("balance", (event) => {
    const row = JSON.parse(event.data);
    for (const element of wallet.querySelectorAll("[data-field]")) {
      const value = row[element.dataset.field];
      if (typeof value === "string") put(element, shown(value, digits), value.startsWith("-"));
    }
  });
  // Lists come from ClickHouse, which may have a row only a little later: so they are asked for again.
  const AGAIN_AFTER = [3000, 10000, 30000];
  let [soon, later] = [null, []];
  const lists = () => quietly(refresh([...document.querySelectorAll("[data-refresh-on]")].map((part) => part.id)));
  for (const view of new Set([...document.querySelectorAll("[data-refresh-on]")].map((part) => part.dataset.refreshOn))) {
    const rows = new EventSource(`/v1/stream/${view}/${of}`);
    rows.addEventListener(view, () => {
      soon ??= setTimeout(() => {
        soon = null;
        lists();
      }, 700);
      later.forEach(clearTimeout);
      later = AGAIN_AFTER.map((after) => setTimeout(lists, after));
    });
  }
}

// One key for what a form says: sent twice it happens once.
for (const form of document.querySelectorAll("form[data-do], form[data-post]")) {
  let key = null;
  form.addEventListener("input", () => { key = null; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [button, output] = [form.querySelector("button"), form.querySelector("output")];
    key ??= "page-" + Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    button.disabled = true;
    output.className = "";
    output.textContent = "Sending…";
    try {
      const answer = await fetch(form.dataset.post ?? `/v1/do/${form.dataset.do}`, {
        method: "POST",
        headers: { "idempotency-key": key },
        body: new URLSearchParams(new FormData(form)),
      });
      const said = await answer.json();
      output.className = answer.ok ? "good" : "bad";
      output.textContent = answer.status === 202 ? "Taken; not decided yet." : answer.ok ? said.detail ?? "Done." : `${said.title}: ${said.detail}`;
      if (answer.ok) key = null;
    } catch {
      output.className = "bad";
      output.textContent = "No answer. Send it again: it happens once.";
    } finally {
      button.disabled = false;
    }
  });
}

if (location.hash) document.getElementById(location.hash.slice(1))?.setAttribute("open", "");
