// The page from top to bottom: the model, the films, a run, its result.
import {ask, mine, open} from "./api.js";
import {$, name, say, seconds} from "./dom.js";
import {FilmCard} from "./film.js";
import {Result} from "./result.js";
import {Settings} from "./settings.js";
import {Viewer} from "./viewer.js";

const OFTEN_MS = 400;
const UNKNOWN_MS = 4000;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
let cards = [];
let running = null;
let asking = 0;

const loaded = async () => {
  for (;;) {
    const model = await ask("GET", "/model");
    if (model.ready) return model;
    await wait(OFTEN_MS);
  }
};

const introduce = (model) => {
  const unknown = "its weights do not say what it was trained on";
  const cube = `${model.size} cubed voxels of ${Math.round(100 * model.spacing_mm) / 100} mm`;
  say($("model"), `Model "${model.name}" (${model.method}), ${cube}; ${model.trained_on ?? unknown}.${
    model.for_films ? ` Films go to model "${model.for_films.name}"; ${model.for_films.trained_on ?? unknown}.` : ""}`);
  for (const line of document.querySelectorAll("[data-phantoms]")) {
    line.textContent = "This model was trained on computer phantoms alone. It knows no patient: do not believe what it shows of one.";
    line.hidden = !model.phantoms_alone;
  }
  const views = model.views.map(name).join(" and ");
  say($("needs"), model.any_view && model.views.length > 1 ? `${views}, or one of them.` : `Needed: ${views}.`);
  say($("keep"), `, or after ${model.keep_minutes} minutes without use`);
  say($("example-words"), model.words);
  $("example").disabled = !model.words;
};

const isReady = (model) => {
  const there = cards.filter((card) => card.film).length;
  return there === cards.length || (model.any_view && there > 0);
};

const update = async (model, settings) => {
  $("start").disabled = running !== null || !isReady(model);
  const number = ++asking;
  if (!isReady(model) || running) return;
  try {
    while (number === asking && !(await settings.estimate())) await wait(UNKNOWN_MS);
    say($("run-fault"), "");
  } catch (error) {
    if (number === asking) say($("run-fault"), error.message);
    say($("cost"), "");
  }
};

const told = ({state, before, steps, steps_done, seconds: took, seconds_left}, model) => {
  if (state === "waiting") return before ? `Waiting: ${before} before this one.` : "Waiting.";
  if (state === "done") return `Done in ${seconds(took)}.`;
  if (state === "cancelled") return "Cancelled.";
  if (state === "failed") return "It failed.";
  const step = model.samples ? `Step ${Math.min(steps_done + 1, steps)} of ${steps}` : "The network answers";
  return `${step}, ${seconds(took)} so far${seconds_left === null ? "" : `, about ${seconds(seconds_left)} left`}.`;
};

// Before the end there is a volume to look at, and nothing to measure or to save.
const refine = (isRefined, title) => {
  $("result").hidden = false;
  $("result").classList.toggle("refining", isRefined);
  say($("result-title"), title);
};

const follow = async (run, model, viewer) => {
  let estimate = 0;
  for (;;) {
    $("progress").value = run.fraction;
    if (!run.fraction && run.state === "running") $("progress").removeAttribute("value");
    say($("state"), told(run, model));
    if (run.estimate > estimate && run.state === "running") {
      estimate = run.estimate;
      refine(true, `3. The answer so far, estimate ${estimate}`);
      viewer.show(`/runs/${run.run}/estimate.nii.gz`, "ct").catch(() => {}); // the next one may have come
    }
    if (!["waiting", "running"].includes(run.state)) return run;
    await wait(OFTEN_MS);
    run = await ask("GET", mine(`/runs/${run.run}`));
  }
};

const start = async (model, settings, viewer, result) => {
  running = "";
  $("start").disabled = true;
  $("cancel").hidden = $("progress").hidden = false;
  say($("run-fault"), "");
  try {
    const first = await ask("POST", mine("/runs"), settings.forRun());
    running = first.run;
    const run = await follow(first, model, viewer);
    if (run.error && run.state === "failed") say($("run-fault"), run.error);
    refine(false, "3. The result");
    $("result").hidden = run.state !== "done";
    if (run.state === "done") {
      await result.show(run);
      $("result-title").focus();
    }
  } catch (error) {
    say($("run-fault"), error.message);
  }
  running = null;
  $("cancel").hidden = $("progress").hidden = true;
  await update(model, settings);
};

const takeExamples = async () => {
  $("example").disabled = true;
  say($("fault"), "");
  try {
    for (const film of await ask("POST", mine("/examples"))) cards.find((card) => card.view === film.view).show(film);
  } catch (error) {
    say($("fault"), error.message);
  }
  $("example").disabled = false;
};

const begin = async () => {
  await open();
  const model = await loaded();
  introduce(model);
  const viewer = new Viewer();
  const result = new Result(viewer, model);
  const settings = new Settings(model, () => update(model, settings));
  cards = model.views.map((view) => new FilmCard(view, model, () => update(model, settings)));
  $("cards").append(...cards.map((card) => card.root));
  $("example").addEventListener("click", takeExamples);
  $("start").addEventListener("click", () => start(model, settings, viewer, result));
  $("cancel").addEventListener("click", () => running && ask("DELETE", mine(`/runs/${running}`)));
  document.body.dataset.ready = "yes";
};

for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault()); // beside a card
begin().catch((error) => say($("fault"), error.message));
