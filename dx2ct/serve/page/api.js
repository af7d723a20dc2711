// Requests to the server that this page came from. A refusal becomes an Error whose message is the server's line.
let session = "";

const failed = async (response) => {
  const text = await response.text();
  try {
    return new Error(JSON.parse(text).detail);
  } catch {
    return new Error(text || `the server answers with ${response.status}`);
  }
};

export const ask = async (method, path, body) => {
  const isJson = body !== undefined && !(body instanceof Blob);
  let response;
  try {
    response = await fetch(`/api${path}`, {
      method,
      body: isJson ? JSON.stringify(body) : body,
      headers: isJson ? {"content-type": "application/json"} : {},
    });
  } catch {
    throw new Error("the server does not answer: is it still running?");
  }
  if (response.status === 503) { // the line is full for a moment
    await new Promise((done) => setTimeout(done, 1000));
    return ask(method, path, body);
  }
  if (!response.ok) throw await failed(response);
  return response.status === 204 ? null : response.json();
};

export const open = async () => {
  session = (await ask("POST", "/sessions")).session;
  addEventListener("pagehide", () => navigator.sendBeacon(`/api/sessions/${session}/close`));
  addEventListener("pageshow", (event) => event.persisted && location.reload());
};

export const mine = (path) => `/sessions/${session}${path}`;

export const address = (path) => `/api${mine(path)}`;

// A file of the session as bytes, unpacked where it is gzip.
export const bytes = async (path) => {
  const response = await fetch(address(path));
  if (!response.ok) throw await failed(response);
  const packed = await response.arrayBuffer();
  const [a, b] = new Uint8Array(packed, 0, 2);
  if (a !== 0x1f || b !== 0x8b) return packed;
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
};
