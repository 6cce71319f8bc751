// What is live on the pages: balances by server-sent events, lists by asking again, forms without leaving.
"use strict";

// Amounts are exact texts of at most twelve decimals; they are added up and rounded as trillionths.
const PLACES = 12;

const trillionths = (text) => {
  const [whole, part = ""] = text.replace("-", "").split(".");
  const amount = BigInt(whole + part.padEnd(PLACES, "0"));
  return text.startsWith("-") ? -amount : amount;
};

// What is left is rounded down and what is unsettled up, so that they add up: as the page does it.
const rounded = (amount, digits, up) => {
  const unit = 10n ** BigInt(PLACES - digits);
  const down = (amount) => amount / unit - (amount % unit < 0n ? 1n : 0n);
  return up ? -down(-amount) : down(amount);
};

const shown = (units, digits) => {
  const text = String(units < 0n ? -units : units).padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return (units < 0n ? "−" : "") + whole + (digits ? "." + text.slice(-digits) : "");
};

const put = (element, text) => {
  if (element.textContent === text) return;
  element.textContent = text;
  element.classList.toggle("negative", text.startsWith("−"));
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
    if (!before || before.contains(document.activeElement)) continue;
    const now = after ? after.innerHTML : "";
    if (before.innerHTML !== now) before.innerHTML = now;
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
  // All figures are of one row, and change at most so often that they can be read.
  const CALM = 2000;
  let [calm, waiting] = [false, null];
  const show = (row) => {
    for (const element of wallet.querySelectorAll("[data-field]")) {
      const values = element.dataset.field.split(" ").map((field) => trillionths(row[field]));
      const sum = values.reduce((sum, value) => sum + value);
      put(element, shown(rounded(sum, digits, "roundsUp" in element.dataset), digits));
    }
    calm = true;
    setTimeout(() => {
      const next = waiting;
      [calm, waiting] = [false, null];
      if (next) show(next);
    }, CALM);
  };
  balance.addEventListener("balance", (event) => {
    const row = JSON.parse(event.data);
    if (calm) waiting = row;
    else show(row);
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
  // What a browser finds wrong with a field it says for a moment only.
  form.addEventListener("invalid", (event) => {
    const [field, output] = [event.target, form.querySelector("output")];
    const name = field.labels[0].firstChild.textContent.trim();
    output.className = "bad";
    output.textContent = field.validity.valueMissing ? `${name} is needed.` : `${name}: ${field.title}.`;
  }, true);
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
      if (answer.ok && "clear" in form.dataset) form.reset();
    } catch {
      output.className = "bad";
      output.textContent = "No answer. Send it again: it happens once.";
    } finally {
      button.disabled = false;
    }
  });
}

// A mail is as high as it is.
for (const frame of document.querySelectorAll("iframe")) {
  const fit = () => { frame.style.height = `${frame.contentDocument.documentElement.scrollHeight + 2}px`; };
  frame.addEventListener("load", fit);
  if (frame.contentDocument?.readyState === "complete") fit();
}

// Of a long list only what has the words that are looked for.
for (const filter of document.querySelectorAll("input[data-filter]")) {
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    for (const one of document.querySelectorAll(filter.dataset.filter)) {
      const text = one.textContent.toLowerCase();
      one.hidden = !words.every((word) => text.includes(word));
    }
  });
}

if (location.hash) document.getElementById(location.hash.slice(1))?.setAttribute("open", "");
