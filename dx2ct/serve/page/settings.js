// The fields of the settings; an empty one is as the run itself samples.
import {ask, mine} from "./api.js";
import {$, made, seconds, say} from "./dom.js";

const NUMBERS = {steps: "Steps", samples: "Samples", consistency: "Iterations of consistency (.mha alone)", seed: "Seed"};
const LEAST = {steps: 1, samples: 1, consistency: 0, seed: 0};
const CHOICES = {planes: ["alone", "together"], noise: ["image", "volume"]};

const field = (label, input) => {
  const found = made("label", `${label} `);
  found.append(input);
  return found;
};

const choice = (key, options) => {
  const select = made("select", "", {name: key});
  for (const [value, words] of options) select.append(made("option", words, {value}));
  return select;
};

export class Settings {
  constructor(model, changed) {
    this.model = model;
    const fields = $("fields");
    const own = model.sampling;
    if (own) {
      const solvers = Object.entries(model.solvers);
      const named = model.solvers[own.solver] ?? own.solver;
      fields.append(field("Solver", choice("solver", [["", `as the run: ${named}`], ...solvers])));
      for (const [key, label] of Object.entries(NUMBERS)) {
        const usual = key === "consistency" ? own.consistency.iterations : own[key];
        const input = made("input", "", {type: "number", name: key, min: LEAST[key], step: 1, placeholder: `${usual}`});
        fields.append(field(label, input));
      }
      for (const [key, values] of Object.entries(CHOICES)) {
        const options = [["", `as the run: ${own[key]}`], ...values.map((value) => [value, value])];
        fields.append(field(key === "planes" ? "Planes" : "Noise", choice(key, options)));
      }
    }
    const passes = made("input", "", {type: "number", name: "passes", min: 0, max: 10, step: 1, placeholder: "usual"});
    fields.append(field("Passes of films of another beam", passes));
    const names = field("Write the films' file names into run.json", made("input", "", {type: "checkbox", name: "keep_names"}));
    names.classList.add("check");
    fields.append(names);
    fields.addEventListener("change", changed);
  }

  values() {
    const found = {};
    for (const input of $("fields").querySelectorAll("input[type=number], select")) {
      if (input.value !== "") found[input.name] = input.type === "number" ? Number(input.value) : input.value;
    }
    return found;
  }

  forRun() {
    return {...this.values(), keep_names: $("fields").querySelector("[name=keep_names]").checked};
  }

  async estimate() {
    const {seconds: found} = await ask("POST", mine("/cost"), this.values());
    say($("cost"), found === null ? "What it takes is being measured." : `It will take about ${seconds(found)} on this machine.`);
    return found !== null;
  }
}
