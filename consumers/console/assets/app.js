// What is live on the pages: server-sent events say when to ask again, and forms are sent without leaving.
"use strict";

// A figure that has changed shows it for a moment.
const put = (before, after) => {
  if (before.textContent === after.textContent) return;
  before.textContent = after.textContent;
  before.className = after.className;
  void before.offsetWidth; // so that the animation begins anew
  before.classList.add("changed");
};

// A part of the page as it is now; its figures one by one, if it has some.
const renew = (before, after) => {
  const figures = [...before.querySelectorAll("[data-field]")];
  const fresh = figures.map((figure) => after?.querySelector(`[data-field="${figure.dataset.field}"]`));
  if (figures.length && fresh.every(Boolean)) {
    figures.forEach((figure, place) => put(figure, fresh[place]));
    return;
  }
  const now = after ? after.innerHTML : "";
  if (before.innerHTML !== now) before.innerHTML = now;
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
    renew(before, after);
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

// What is shown of a billing account is asked for again when a topic says something of it.
for (const page of document.querySelectorAll("[data-of]")) {
  // Figures are shown as long as they take to be read.
  const CALM = 2000;
  const TOGETHER = 300;
  // Lists come from ClickHouse, which may have a row only a little later: so they are asked for again.
  const AGAIN_AFTER = [3000, 10000, 30000];
  const parts = [...page.querySelectorAll("[data-refresh-on]")];
  const state = page.querySelector("[data-live-state]");
  const say = (text, isOff) => {
    if (state) state.textContent = text;
    page.classList.toggle("off", isOff);
  };
  let [shownAt, soon, later] = [-CALM, null, []];
  const show = () => {
    [soon, shownAt] = [null, performance.now()];
    quietly(refresh(parts.map((part) => part.id)));
  };
  const showSoon = () => {
    soon ??= setTimeout(show, Math.max(TOGETHER, shownAt + CALM - performance.now()));
  };
  const change = () => {
    showSoon();
    later.forEach(clearTimeout);
    later = AGAIN_AFTER.map((after) => setTimeout(showSoon, after));
  };
  for (const view of new Set(parts.map((part) => part.dataset.refreshOn))) {
    const rows = new EventSource(`/v1/stream/${view}/${encodeURIComponent(page.dataset.of)}`);
    rows.addEventListener("open", () => say("live", false));
    rows.addEventListener("error", () => say("reconnecting", true));
    rows.addEventListener(view, change);
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

// Of tabs that a phone cannot show at once, the one that is open.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

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
