// NiiVue (BSD-2-Clause) shows a volume in three planes and in space; sliders move the crosshair without a mouse.
import {bytes} from "./api.js";
import {$, press, say} from "./dom.js";

const WINDOWS = {all: [-1000, 600], lung: [-1350, 150], mediastinum: [-160, 240], bone: [-500, 1300]};
const DEVIATION = [0, 300]; // HU
const NARROW = 700; // pixels of a window: three slices beside each other would be small
const FROM_THE_FRONT = [200, 10]; // degrees, a little from the side and from above
const UNITS = {ct: "CT", deviation: "Deviation", truth: "Truth"};

const script = () =>
  new Promise((done, fail) => {
    const element = document.createElement("script");
    element.src = "/page/niivue.umd.js";
    element.addEventListener("load", done);
    element.addEventListener("error", () => fail(new Error("the viewer's file cannot be loaded")));
    document.head.append(element);
  });

export class Viewer {
  constructor() {
    this.isStill = !document.createElement("canvas").getContext("webgl2");
    this.window = "all";
    this.shown = "ct";
    this.views = null;
    this.loading = Promise.resolve();
    for (const button of document.querySelectorAll("[data-window]")) {
      button.addEventListener("click", () => {
        this.window = button.dataset.window;
        press(document.querySelectorAll("[data-window]"), (other) => other === button);
        this.paint();
      });
    }
    [0, 1, 2].forEach((axis) => $(`at-${axis}`).addEventListener("input", () => this.move()));
  }

  async start() {
    if (this.views) return;
    await script();
    const options = {
      isRadiologicalConvention: true, sagittalNoseLeft: true, crosshairWidth: 1, crosshairWidthUnit: "mm",
      crosshairColor: [1, 0.8, 0, 0.8], isNearestInterpolation: false, dragAndDropEnabled: false, loadingText: "",
      logLevel: "error", isColorbar: false, fontMinPx: 11, multiplanarShowRender: niivue.SHOW_RENDER.NEVER,
    };
    const [planes, space] = [new niivue.Niivue(options), new niivue.Niivue({...options, crosshairWidth: 0})];
    planes.opts.dragMode = niivue.DRAG_MODE.none; // a right drag would change the window behind the buttons' back
    await planes.attachToCanvas($("planes"));
    await space.attachToCanvas($("space"));
    planes.setSliceType(planes.sliceTypeMultiplanar);
    const lay = () =>
      planes.setMultiplanarLayout(innerWidth < NARROW ? niivue.MULTIPLANAR_TYPE.GRID : niivue.MULTIPLANAR_TYPE.ROW);
    addEventListener("resize", lay);
    lay();
    space.setSliceType(space.sliceTypeRender);
    space.setRenderAzimuthElevation(...FROM_THE_FRONT);
    planes.onLocationChange = (place) => this.say(place);
    this.views = [planes, space];
    $("viewer").niivue = this.views; // for the browser's console
  }

  // One after the other: an estimate that comes late must not replace the result.
  show(path, what) {
    this.loading = this.loading.catch(() => {}).then(() => this.load(path, what));
    return this.loading;
  }

  async load(path, what) {
    if (this.isStill) return this.still(path);
    await this.start();
    const buffer = await bytes(path);
    this.shown = what;
    for (const view of this.views) {
      const place = [...view.scene.crosshairPos];
      while (view.volumes.length) view.removeVolume(view.volumes[0]);
      await view.loadFromArrayBuffer(buffer.slice(0), `${what}.nii`);
      view.scene.crosshairPos = place;
    }
    this.paint();
    this.views[0].createOnLocationChange();
    $("viewer").dataset.state = path;
  }

  still(path) {
    for (const id of ["planes", "space"]) $(id).closest("figure").hidden = true;
    $("still").hidden = false;
    $("viewer").dataset.state = path;
  }

  paint() {
    for (const view of this.views ?? []) {
      const volume = view.volumes[0];
      if (!volume) continue;
      volume.colormap = this.shown === "deviation" ? "viridis" : "gray"; // first: it chooses a window of its own
      [volume.cal_min, volume.cal_max] = this.shown === "deviation" ? DEVIATION : WINDOWS[this.window];
      view.updateGLVolume();
    }
  }

  move() {
    if (!this.views) return;
    this.views[0].scene.crosshairPos = [0, 1, 2].map((axis) => Number($(`at-${axis}`).value));
    this.views[0].drawScene();
    this.views[0].createOnLocationChange();
  }

  say(place) {
    const lps = [-place.mm[0], -place.mm[1], place.mm[2]].map((one) => (Math.round(10 * one) / 10 + 0).toFixed(1));
    const value = Math.round(place.values?.[0]?.value ?? NaN);
    [0, 1, 2].forEach((axis) => ($(`at-${axis}`).value = place.frac[axis]));
    say($("values"), `at ${lps.join(", ")} mm (LPS): ${UNITS[this.shown]} ${value} HU`);
  }
}
