// The server's OpenAPI description as a page.
import {$, made} from "./dom.js";

const named = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(named).join(" or ");
  if (schema.enum) return schema.enum.join(", ");
  return schema.items ? `list of ${named(schema.items)}` : (schema.format ?? schema.type ?? "any");
};

const table = (rows) => {
  const found = made("table");
  for (const cells of rows) {
    const row = made("tr");
    cells.forEach((text, at) => row.append(made(at ? "td" : "th", text, at ? {} : {scope: "row"})));
    found.append(row);
  }
  return found;
};

const answers = (operation) =>
  Object.entries(operation.responses).map(([status, {description, content}]) => {
    const [kind, body] = Object.entries(content ?? {})[0] ?? ["", {}];
    return [status, `${description}${body.schema ? `: ${named(body.schema) || kind}` : ""}`];
  });

const operation = (method, path, found) => {
  const part = made("section");
  part.append(made("h3", `${method.toUpperCase()} ${path}`), made("p", found.description ?? found.summary));
  const body = Object.values(found.requestBody?.content ?? {})[0];
  const given = (found.parameters ?? []).map((one) => [one.name, `${one.in}: ${named(one.schema)}`]);
  if (body) given.push(["body", named(body.schema)]);
  if (given.length) part.append(table(given));
  part.append(table(answers(found)));
  return part;
};

const type = (name, {description, properties = {}}) => {
  const part = made("section");
  part.append(made("h3", name), made("p", description ?? ""));
  part.append(table(Object.entries(properties).map(([key, one]) => [key, `${named(one)}. ${one.description ?? ""}`])));
  return part;
};

const api = await (await fetch("/api/openapi.json")).json();
for (const text of api.info.description.split("\n\n")) $("api").append(made("p", text));
$("api").append(made("h2", "Requests"));
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, found] of Object.entries(methods)) $("api").append(operation(method, path, found));
}
$("api").append(made("h2", "Types"));
for (const [name, found] of Object.entries(api.components.schemas)) $("api").append(type(name, found));
document.body.dataset.ready = "yes";
