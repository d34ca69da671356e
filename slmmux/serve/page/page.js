"use strict";
// Asks this server's own API and shows each sample as it arrives. Everything is put in as text, never as HTML.

const COLOURS = ["#0072b2", "#b34a00", "#00795c", "#8e52a7", "#806700", "#bc3462", "#4f6d83", "#5a5fcf"];
const PLANS = ["parallel", "cascade", "adaptive", "first_round"];
const LONGEST = 40;
const byId = (id) => document.getElementById(id);
let models = [];

function element(parent, tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}

function headers() {
  const key = byId("key").value;
  return { "Content-Type": "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
}

async function faultOf(response) {
  if (response.status === 401) byId("key-label").hidden = false;
  try {
    return (await response.json()).error.message;
  } catch {
    return `the server answered with status ${response.status}`;
  }
}

async function loadModels() {
  const response = await fetch("v1/models", { headers: headers() });
  if (!response.ok) throw new Error(await faultOf(response));
  models = (await response.json()).data;
  byId("model").replaceChildren(...models.map((model) => new Option(model.id, model.id)));
  byId("plan").value = models[0].slmmux.plan;
  byId("notice").textContent = "";
}

function shown(answer) {
  const text = typeof answer === "string" ? answer : JSON.stringify(answer);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

// One answer of one plan: the members' rows, the text of the speaker, and the sentence about it.
class Answer {
  constructor(parent, plan, members) {
    const place = element(parent, "div", "plan");
    element(place, "h3", "", `Plan: ${plan}`);
    const list = element(place, "ul", "members");
    this.rows = new Map(Object.entries(members).map(([label, k]) => {
      const row = element(list, "li");
      element(row, "span", "label", label);
      return [label, { row, chips: Array.from({ length: k }, () => element(row, "span", "chip", "…")) }];
    }));
    this.speech = element(place, "div", "speech");
    this.speech.dir = "auto";
    this.verdict = element(place, "div", "verdict", "asking …");
    this.colours = new Map();
  }

  show(sample) {
    const chip = this.rows.get(sample.model)?.chips[sample.index];
    if (!chip) return;
    if (sample.error !== null || sample.answer === null) {
      chip.textContent = sample.error === null ? "no answer" : "failed";
      return;
    }
    const text = shown(sample.answer);
    if (!this.colours.has(text)) this.colours.set(text, this.colours.size);
    const colour = COLOURS[this.colours.get(text)];
    chip.textContent = text;
    chip.dir = "auto";
    chip.className = colour ? "chip answer" : "chip plain";
    if (colour) chip.style.backgroundColor = colour;
  }

  finish(record, seconds) {
    for (const { chips } of this.rows.values()) {
      for (const chip of chips) if (chip.textContent === "…") chip.textContent = "not needed";
    }
    this.rows.get(record.model)?.row.classList.add("speaks");
    const { usage, samples } = record;
    const cost = usage.cost == null ? "" : `, cost ${usage.cost}`;
    const speaker = record.outcome === "abstained" ? "The mux abstains" : `${record.model} speaks`;
    this.verdict.textContent = `${speaker}: confidence ${record.confidence.toFixed(2)} (${record.reason}); `
      + `${samples.used} of ${samples.planned} samples, ${usage.total_tokens} tokens${cost}, ${seconds.toFixed(1)} s`;
    for (const notice of record.notices ?? []) element(this.verdict, "p", "fault", notice);
  }

  fail(text) {
    this.verdict.className = "fault";
    this.verdict.textContent = text;
  }
}

async function ask(model, question, plan, answer) {
  const start = performance.now();
  const body = { model: model.id, messages: [{ role: "user", content: question }], stream: true, slmmux: { plan, progress: true } };
  const response = await fetch("v1/chat/completions", { method: "POST", headers: headers(), body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await faultOf(response));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      if (!event.startsWith("data: {")) continue;
      const chunk = JSON.parse(event.slice(6));
      if (chunk.error) throw new Error(chunk.error.message);
      if (chunk.slmmux?.sample) answer.show(chunk.slmmux.sample);
      else if (chunk.slmmux) answer.finish(chunk.slmmux, (performance.now() - start) / 1000);
      answer.speech.textContent += chunk.choices[0]?.delta.content ?? "";
    }
  }
}

async function submit(event) {
  event.preventDefault();
  const question = byId("question").value.trim();
  if (!question) return;
  byId("ask").disabled = true;
  byId("notice").textContent = "";
  try {
    if (!models.length) await loadModels();
    const model = models.find((each) => each.id === byId("model").value) ?? models[0];
    const plans = [byId("plan").value, ...(byId("compare").checked ? [byId("other").value] : [])];
    const item = document.createElement("li");
    byId("questions").prepend(item);
    byId("empty").hidden = true;
    element(item, "h3", "", question).dir = "auto";
    const place = element(item, "div", "plans");
    const answers = plans.map((plan) => [plan, new Answer(place, plan, model.slmmux.members)]);
    await Promise.all(answers.map(([plan, answer]) =>
      ask(model, question, plan, answer).catch((error) => answer.fail(error.message))));
  } catch (error) {
    byId("notice").textContent = error.message;
  } finally {
    byId("ask").disabled = false;
  }
}

for (const id of ["plan", "other"]) byId(id).replaceChildren(...PLANS.map((plan) => new Option(plan, plan)));
byId("other").value = "cascade";
byId("compare").addEventListener("change", () => { byId("other-label").hidden = !byId("compare").checked; });
byId("key").addEventListener("change", () => loadModels().catch((error) => { byId("notice").textContent = error.message; }));
byId("form").addEventListener("submit", submit);
loadModels().catch((error) => { byId("notice").textContent = error.message; });
