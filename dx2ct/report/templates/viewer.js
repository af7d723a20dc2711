// Three-plane viewer of a CT, a reconstruction and their difference: NiiVue (BSD-2-Clause) draws, the volumes are in
// the page as NIfTI, gzip, base64. Nothing is decoded before the viewer comes into sight.
"use strict";
(() => {
  const HEADER = 352; // bytes of a NIfTI-1 file before its voxels
  const WINDOWS = {lung: [-1350, 150], mediastinum: [-160, 240], bone: [-500, 1300], all: [-1024, 1476]};
  const DIFFERENCE_HU = 500;
  const DIVERGING = {R: [33, 247, 178], G: [102, 247, 24], B: [172, 247, 43], A: [255, 255, 255], I: [0, 128, 255]};
  const $ = (id) => document.getElementById(id);
  const viewer = $("viewer");
  if (!viewer) return;
  const index = JSON.parse($("viewer-index").textContent);
  const NAMES = ["ct", "run", "difference"];
  const canvases = {};
  const decoded = new Map();
  const isStill = !document.createElement("canvas").getContext("webgl2");
  let shown = {}; // bytes of the three NIfTI files in sight

  const inflate = async (id) => {
    if (!decoded.has(id)) {
      const packed = Uint8Array.from(atob($(id).textContent), (c) => c.charCodeAt(0));
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
      decoded.set(id, await new Response(stream).arrayBuffer());
    }
    return decoded.get(id);
  };

  const header = (buffer) => {
    const view = new DataView(buffer);
    const row = (at) => [0, 4, 8, 12].map((step) => view.getFloat32(at + step, true));
    return {
      size: [42, 44, 46].map((at) => view.getInt16(at, true)),
      slope: view.getFloat32(112, true),
      shift: view.getFloat32(116, true),
      affine: [280, 296, 312].map(row), // without rotation
      voxels: view.getInt16(70, true) === 2 ? new Uint8Array(buffer, HEADER) : new Int16Array(buffer, HEADER),
    };
  };

  const subtract = (run, ct) => {
    const [a, b] = [header(run), header(ct)];
    const buffer = new ArrayBuffer(HEADER + 2 * a.voxels.length);
    new Uint8Array(buffer).set(new Uint8Array(run, 0, HEADER));
    const view = new DataView(buffer);
    view.setInt16(70, 4, true); // int16
    view.setInt16(72, 16, true);
    view.setFloat32(112, 1, true);
    view.setFloat32(116, 0, true);
    const out = new Int16Array(buffer, HEADER);
    for (let i = 0; i < out.length; i++) {
      out[i] = a.voxels[i] * a.slope + a.shift - (b.voxels[i] * b.slope + b.shift);
    }
    return buffer;
  };

  const valueAt = (buffer, mm) => {
    const {size, slope, shift, affine, voxels} = header(buffer);
    const at = affine.map((row, axis) => Math.round((mm[axis] - row[3]) / row[axis]));
    if (at.some((k, axis) => k < 0 || k >= size[axis])) return null;
    return Math.round(voxels[at[0] + size[0] * (at[1] + size[1] * at[2])] * slope + shift);
  };

  const say = (mm) => {
    const [ct, run, difference] = NAMES.map((name) => (shown[name] ? valueAt(shown[name], mm) : null));
    if (ct === null) return;
    const lps = [-mm[0], -mm[1], mm[2]].map((number) => (Math.round(10 * number) / 10 + 0).toFixed(1)).join(", ");
    $("viewer-values").textContent = `at ${lps} mm (LPS): CT ${ct} HU, run ${run} HU, difference ${difference} HU`;
  };

  // Without WebGL: the middle axial, coronal and sagittal slice beside each other, the head at the top.
  const still = (name) => {
    const {size: [nx, ny, nz], slope, shift, voxels} = header(shown[name]);
    const [low, high] = name === "difference" ? [-DIFFERENCE_HU, DIFFERENCE_HU] : WINDOWS[viewer.dataset.window];
    const voxel = (x, y, z) => (voxels[x + nx * (y + ny * z)] * slope + shift - low) / (high - low);
    const [mx, my, mz] = [nx, ny, nz].map((n) => Math.floor(n / 2));
    const height = Math.max(ny, nz);
    const planes = [
      [nx, ny, (column, row) => voxel(column, row, mz)],
      [nx, nz, (column, row) => voxel(column, my, nz - 1 - row)],
      [ny, nz, (column, row) => voxel(mx, column, nz - 1 - row)],
    ];
    const canvas = $(canvasId(name));
    [canvas.width, canvas.height, canvas.className] = [2 * nx + ny, height, "still"];
    const context = canvas.getContext("2d");
    let left = 0;
    for (const [width, rows, value] of planes) {
      const image = context.createImageData(width, rows);
      for (let row = 0, at = 0; row < rows; row++) {
        for (let column = 0; column < width; column++, at += 4) {
          const shade = Math.min(Math.max(value(column, row), 0), 1);
          image.data.set([...(name === "difference" ? mixed(shade) : Array(3).fill(255 * shade)), 255], at);
        }
      }
      context.putImageData(image, left, (height - rows) / 2);
      left += width;
    }
  };

  const canvasId = (name) => (name === "run" ? "viewer-run-volume" : `viewer-${name}`);

  // DIVERGING at 0 to 1: blue, white, red.
  const mixed = (shade) => {
    const [from, part] = shade < 0.5 ? [0, 2 * shade] : [1, 2 * shade - 1];
    return ["R", "G", "B"].map((c) => DIVERGING[c][from] + part * (DIVERGING[c][from + 1] - DIVERGING[c][from]));
  };

  const start = async () => {
    if (isStill) {
      await load();
      viewer.dataset.state = "still";
      $("viewer-values").textContent = "This browser has no WebGL 2: the middle slices are shown, and stand still.";
      return;
    }
    const script = document.createElement("script");
    script.textContent = $("niivue").textContent;
    document.head.append(script);
    for (const name of NAMES) {
      const view = new niivue.Niivue({
        crosshairWidth: 1,
        crosshairWidthUnit: "mm",
        isNearestInterpolation: true,
        crosshairColor: [1, 0.8, 0, 0.8],
        isRadiologicalConvention: true,
        sagittalNoseLeft: true,
        multiplanarShowRender: niivue.SHOW_RENDER.NEVER,
        dragAndDropEnabled: false,
        loadingText: "",
        logLevel: "error",
        isColorbar: false,
        fontMinPx: 11,
      });
      view.opts.dragMode = niivue.DRAG_MODE.none; // a right drag would change the window of one picture alone
      await view.attachToCanvas($(canvasId(name)));
      view.setSliceType(view.sliceTypeMultiplanar);
      view.setMultiplanarLayout(niivue.MULTIPLANAR_TYPE.ROW);
      view.onLocationChange = (place) => say(place.mm);
      canvases[name] = view;
    }
    canvases.difference.addColormap("diverging", DIVERGING);
    for (const view of Object.values(canvases)) {
      view.broadcastTo(Object.values(canvases).filter((other) => other !== view), {crosshair: true, zoomPan: true});
    }
    viewer.niivue = canvases; // for the browser's console
    await load();
    viewer.dataset.state = "ready";
  };

  const load = async () => {
    const entry = index[$("viewer-scan").value];
    const [ct, run] = await Promise.all([inflate(entry.ct), inflate(entry.runs[$("viewer-run").value])]);
    shown = {ct, run, difference: subtract(run, ct)};
    if (isStill) return paint();
    for (const name of NAMES) {
      const view = canvases[name];
      const place = [...view.scene.crosshairPos];
      while (view.volumes.length) view.removeVolume(view.volumes[0]);
      await view.loadFromArrayBuffer(shown[name].slice(0), `${name}.nii`);
      view.scene.crosshairPos = place;
    }
    paint();
    canvases.ct.createOnLocationChange();
  };

  const paint = () => {
    if (isStill) return NAMES.forEach(still);
    const [low, high] = WINDOWS[viewer.dataset.window];
    for (const name of NAMES) {
      const volume = canvases[name].volumes[0];
      const isDifference = name === "difference";
      volume.colormap = isDifference ? "diverging" : "gray";
      [volume.cal_min, volume.cal_max] = isDifference ? [-DIFFERENCE_HU, DIFFERENCE_HU] : [low, high];
      canvases[name].updateGLVolume();
    }
  };

  const fail = (error) => {
    viewer.dataset.state = "failed";
    $("viewer-values").textContent = `The viewer cannot start in this browser: ${error.message}`;
  };

  for (const id of ["viewer-scan", "viewer-run"]) $(id).addEventListener("change", () => load().catch(fail));
  for (const button of viewer.querySelectorAll("[data-preset]")) {
    button.addEventListener("click", () => {
      viewer.dataset.window = button.dataset.preset;
      for (const other of viewer.querySelectorAll("[data-preset]")) {
        other.setAttribute("aria-pressed", other === button);
      }
      paint();
    });
  }
  $("viewer-difference-on").addEventListener("change", (event) => {
    $("viewer-difference").closest("figure").hidden = !event.target.checked;
    canvases.difference?.resizeListener();
  });
  new IntersectionObserver((seen, observer) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    start().catch(fail);
  }).observe(viewer);
})();
