// One card: a film as its file is, as the network will see it, beside one of the training, and what puts it right.
import {address, ask, mine} from "./api.js";
import {$, made, name, press, say} from "./dom.js";

const LENGTHS = ["spacing_mm", "sid_mm", "odd_mm"];
const EDGES = ["left", "top", "right", "bottom"];
const LEAST = 8; // pixels of the screen: less is a click

export class FilmCard {
  constructor(view, model, changed) {
    this.view = view;
    this.changed = changed;
    this.film = null;
    this.queue = Promise.resolve();
    this.root = $("card").content.firstElementChild.cloneNode(true);
    this.root.dataset.view = view;
    this.find("h3").textContent = `${name(view)} X-ray`;
    this.find(".drop input").setAttribute("aria-label", `${name(view)} X-ray: choose a file`);
    this.find("[role=group]").setAttribute("aria-label", `Put the ${name(view)} X-ray right`);
    const [left = "", right = ""] = model.sides[view] ?? "";
    for (const mark of this.root.querySelectorAll(".left")) mark.textContent = left;
    for (const mark of this.root.querySelectorAll(".right")) mark.textContent = right;
    if (model.words) this.find(".like").src = `/api/model/examples/${view}.png`;
    this.find(".like").alt = `${name(view)} X-ray of the training`;
    this.find(".model").hidden = !model.words;
    this.listen();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  listen() {
    const drop = this.find(".drop");
    this.find(".drop input").addEventListener("change", (event) => {
      if (event.target.files.length) this.upload(event.target.files[0]);
      event.target.value = "";
    });
    for (const kind of ["dragover", "dragleave", "drop"]) {
      this.root.addEventListener(kind, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", kind === "dragover");
        if (kind === "drop" && event.dataTransfer.files.length) this.upload(event.dataTransfer.files[0]);
      });
    }
    for (const button of this.root.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => this.act(button.dataset.do));
    }
    for (const key of LENGTHS) {
      this.find(`[name=${key}]`).addEventListener("change", (event) => {
        this.frame({[key]: event.target.value === "" ? null : Number(event.target.value)});
      });
    }
    for (const button of this.root.querySelectorAll("[data-side]")) {
      const side = Number(button.dataset.side);
      button.addEventListener("click", () => this.frame({spacing_mm: side / Math.max(...this.film.size)}));
    }
    for (const edge of EDGES) this.find(`[name=${edge}]`).addEventListener("change", () => this.cropByNumbers());
    this.drag(this.find(".crop"));
    addEventListener("resize", () => this.film && this.drawBox(this.film.framing.crop));
    this.find(".whole").addEventListener("load", () => this.film && this.drawBox(this.film.framing.crop));
  }

  act(what) {
    const how = this.film.framing;
    if (what === "left") this.frame({rotate: (how.rotate + 270) % 360});
    if (what === "right") this.frame({rotate: (how.rotate + 90) % 360});
    if (what === "flip" || what === "invert") this.frame({[what]: !how[what]});
    if (what === "whole") this.frame({crop: null});
    if (what === "remove") this.send("taken out", () => ask("DELETE", this.path()), null);
  }

  path(rest = "") {
    return mine(`/films/${this.view}${rest}`);
  }

  upload(file) {
    const named = encodeURIComponent(file.name);
    return this.send("is read", () => ask("PUT", this.path(`?name=${named}`), file));
  }

  frame(changes) {
    return this.send("is looked at", () => ask("PUT", this.path("/framing"), {...this.film.framing, ...changes}));
  }

  // One request after the other, so that the last choice is the one that counts.
  send(doing, request) {
    this.queue = this.queue.then(async () => {
      say(this.find(".busy"), `The film ${doing} ...`);
      say(this.find(".fault"), "");
      try {
        this.show(await request());
      } catch (error) {
        say(this.find(".fault"), error.message);
        if (this.film) this.fill();
      }
      say(this.find(".busy"), "");
    });
    return this.queue;
  }

  show(film) {
    this.film = film;
    this.find(".loaded").hidden = !film;
    if (film) {
      for (const picture of ["whole", "seen"]) {
        const image = this.find(`.${picture}`);
        image.src = `${address(`/films/${this.view}/${picture}.png`)}?${film.number}-${Math.random()}`;
        image.alt = `${name(this.view)} X-ray, ${picture === "whole" ? "the file" : "as the network will see it"}`;
      }
      this.fill();
    }
    this.changed();
  }

  fill() {
    const {label, size, framing, notes, place, kind} = this.film;
    const what = kind === "integrals" ? "line integrals" : "film";
    this.find(".label").textContent = `${label}, ${size[0]} x ${size[1]} pixels, ${what}`;
    press(this.root.querySelectorAll("[data-do=flip], [data-do=invert]"), (button) => framing[button.dataset.do]);
    this.find(".place").textContent = place ? `Now: ${place.words}. Empty fields are as the file says, or usual.` : "";
    for (const key of LENGTHS) this.find(`[name=${key}]`).value = framing[key] ?? "";
    const whole = [0, 0, ...size];
    EDGES.forEach((edge, at) => (this.find(`[name=${edge}]`).value = (framing.crop ?? whole)[at]));
    this.drawBox(framing.crop);
    this.find(".notes").replaceChildren(...notes.map((note) => this.note(note)));
  }

  note({text, cure}) {
    const item = made("li", text);
    if (cure) {
      const button = made("button", cure.label, {type: "button"});
      button.addEventListener("click", () => {
        if (Object.keys(cure.set).length) return this.frame(cure.set);
        this.find(".where").open = true;
        this.find("[name=spacing_mm]").focus();
      });
      item.append(button);
    }
    return item;
  }

  cropByNumbers() {
    const crop = EDGES.map((edge) => Math.round(Number(this.find(`[name=${edge}]`).value)));
    this.frame({crop});
  }

  drawBox(crop) {
    const box = this.find(".box");
    box.style.display = crop ? "block" : "none";
    if (!crop) return;
    const scale = this.find(".whole").clientWidth / this.film.size[0];
    const [left, top, right, bottom] = crop.map((edge) => edge * scale);
    box.style.left = `${left}px`;
    box.style.top = `${top}px`;
    box.style.width = `${right - left}px`;
    box.style.height = `${bottom - top}px`;
  }

  drag(area) {
    let from = null;
    const at = (event) => {
      const image = this.find(".whole").getBoundingClientRect();
      const scale = this.film.size[0] / image.width;
      const inside = (value, most) => Math.round(Math.min(Math.max(value * scale, 0), most));
      return [inside(event.clientX - image.left, this.film.size[0]), inside(event.clientY - image.top, this.film.size[1])];
    };
    const framed = (to) => [
      Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1]),
    ];
    area.addEventListener("pointerdown", (event) => {
      from = at(event);
      area.setPointerCapture(event.pointerId);
    });
    area.addEventListener("pointermove", (event) => from && this.drawBox(framed(at(event))));
    area.addEventListener("pointerup", (event) => {
      if (!from) return;
      const crop = framed(at(event));
      const scale = this.find(".whole").clientWidth / this.film.size[0];
      const isClick = Math.min(crop[2] - crop[0], crop[3] - crop[1]) * scale < LEAST;
      from = null;
      if (isClick) this.drawBox(this.film.framing.crop);
      else this.frame({crop});
    });
    area.addEventListener("pointercancel", () => {
      from = null;
      this.drawBox(this.film.framing.crop);
    });
  }
}
