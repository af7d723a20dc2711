// Small helpers. Text is always set as text: nothing that a file or a server says becomes HTML.
export const $ = (id) => document.getElementById(id);

export const made = (name, text = "", attributes = {}) => {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

export const say = (element, text) => {
  element.textContent = text;
  if (element.classList.contains("fault")) element.hidden = !text;
};

export const press = (buttons, isOn) => {
  for (const button of buttons) button.setAttribute("aria-pressed", isOn(button));
};

export const seconds = (number) => (number < 90 ? `${Math.max(Math.round(number), 1)} s` : `${Math.round(number / 60)} min`);

export const name = (view) => ({pa: "PA", lateral: "Lateral"})[view] ?? view;
