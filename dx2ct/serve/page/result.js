// What a finished run shows beside its volume: doubts, X-rays, files, a truth to compare with.
import {address, ask, mine} from "./api.js";
import {$, made, name, press, say} from "./dom.js";

const FILES = {
  "ct.nii.gz": "CT, NIfTI", "series.zip": "CT, DICOM series (zip)", "sheet.png": "Sheet of slices, PNG",
  "run.json": "Record, run.json", "deviation.nii.gz": "Deviation, NIfTI",
};
const PICTURES = {film: "The X-ray", drr: "X-ray of the result", difference: "Result less X-ray"};
const SHOWN = {
  psnr_db: "PSNR over 2500 HU, dB", ssim: "SSIM, 3D", mae_hu: "Mean absolute error, HU", mae_body_hu: "Inside the body, HU",
};

export class Result {
  constructor(viewer, model) {
    this.viewer = viewer;
    this.model = model;
    this.run = null;
    for (const button of document.querySelectorAll("[data-volume]")) {
      button.addEventListener("click", () => this.choose(button.dataset.volume));
    }
    $("truth").addEventListener("change", (event) => event.target.files.length && this.compare(event.target.files[0]));
  }

  show({run, result}) {
    this.run = run;
    const {doubts, has_deviation, model, notes, unexplained, views} = result;
    say($("made-by"), `Made by model "${model}".`);
    $("doubts").replaceChildren(...doubts.map((text) => made("li", text)));
    $("notes").replaceChildren(...notes.map((text) => made("li", text)));
    const button = (what) => document.querySelector(`[data-volume=${what}]`);
    button("deviation").hidden = !has_deviation;
    button("truth").hidden = true;
    $("scores").hidden = true;
    const rows = views.map((view) => this.row(view, unexplained[view]));
    $("rendered").replaceChildren(...rows);
    const files = Object.entries(FILES).filter(([file]) => has_deviation || file !== "deviation.nii.gz");
    $("downloads").replaceChildren(
      ...files.map(([file, words]) => {
        const item = made("li");
        item.append(made("a", words, {href: address(`/runs/${run}/${file}`), download: ""}));
        return item;
      }),
    );
    if (this.viewer.isStill) $("sheet").src = address(`/runs/${run}/sheet.png`);
    return this.choose("ct");
  }

  row(view, share) {
    const row = made("div");
    row.append(made("h4", `${name(view)}: ${share === undefined ? "" : `${(100 * share).toFixed(1)} % of it is not explained`}`));
    const pictures = made("div", "", {class: "row"});
    for (const [picture, words] of Object.entries(share === undefined ? {film: PICTURES.film} : PICTURES)) {
      const figure = made("figure");
      const alt = `${name(view)}: ${words}`;
      figure.append(made("img", "", {src: address(`/runs/${this.run}/${view}/${picture}.png`), alt}), made("figcaption", words));
      pictures.append(figure);
    }
    row.append(pictures);
    return row;
  }

  choose(what) {
    press(document.querySelectorAll("[data-volume]"), (button) => button.dataset.volume === what);
    return this.viewer.show(`/runs/${this.run}/${what}.nii.gz`, what);
  }

  async compare(file) {
    say($("truth-fault"), "");
    say($("truth-state"), "The CT is read and compared ...");
    try {
      await ask("PUT", mine("/truth"), file);
      const {how, scores} = await ask("POST", mine(`/runs/${this.run}/scores`));
      say($("truth-state"), `Compared: ${how}.`);
      this.table(scores);
      document.querySelector("[data-volume=truth]").hidden = false;
    } catch (error) {
      say($("truth-state"), "");
      say($("truth-fault"), error.message);
    }
    $("truth").value = "";
  }

  table(scores) {
    const table = made("table");
    table.append(made("caption", "Metrics of the result against the CT (docs/metrics.md)"));
    const names = Object.keys(scores).filter((key) => scores[key] !== null); // LPIPS needs weights that are not here
    for (const key of names.sort((a, b) => (b in SHOWN) - (a in SHOWN))) {
      const row = made("tr");
      row.append(made("th", SHOWN[key] ?? key, {scope: "row"}), made("td", `${scores[key]}`));
      table.append(row);
    }
    $("scores").replaceChildren(table);
    $("scores").hidden = false;
  }
}
