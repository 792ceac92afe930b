// Calls of the admin API. The page does nothing that the API does not do: every call is one of /admin/openapi.json.

export class Refused extends Error {
  constructor(status, message, details = []) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

let onLoggedOut = () => {};
export const whenLoggedOut = (run) => { onLoggedOut = run; };

// The cookie of the session is out of reach of scripts: nothing here knows a credential, except while it logs in.
export async function call(method, path, body, token) {
  const headers = { Accept: "application/json" };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, credentials: "same-origin", cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, "The server cannot be reached.");
  }
  const text = await answer.text();
  const json = parse(text);
  if (!answer.ok) {
    if (answer.status === 401 && token === undefined) onLoggedOut();
    throw new Refused(answer.status, json?.message ?? `The server answered ${answer.status}.`, json?.details);
  }
  if (json === null && text !== "") return text;
  // A list says in a header where it goes on.
  const next = new URLSearchParams(answer.headers.get("link")?.match(/\?([^>]*)>; rel="next"/)?.[1]).get("cursor");
  if (Array.isArray(json) && next !== null) json.cursor = next;
  return json;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export const get = (path, fields = {}) => call("GET", query(path, fields));
export const post = (path, body) => call("POST", path, body);

export function query(path, fields) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== "" && value !== null && value !== undefined && value !== false) parameters.set(name, value);
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

// Every item of a listing, whatever the length of its pages; at most `most`.
export async function all(path, fields, read, most = 1000) {
  const items = [];
  let cursor = null;
  do {
    const answer = await get(path, { ...fields, cursor, per_page: 100 });
    items.push(...read(answer));
    cursor = answer.cursor ?? null;
  } while (cursor !== null && items.length < most);
  return { items, isWhole: cursor === null };
}
