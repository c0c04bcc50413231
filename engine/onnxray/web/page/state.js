// What is looked at now, and who wants to know when that changes.

const listeners = new Map();

export const now = {
  model: 0, models: [], facts: null, files: [], pictures: [], picture: null, node: null, value: null, verified: new Map(), runs: [],
};

export function on(what, listener) {
  listeners.set(what, [...(listeners.get(what) ?? []), listener]);
}

export function change(fields) {
  Object.assign(now, fields);
  for (const name of Object.keys(fields)) for (const listener of listeners.get(name) ?? []) listener(now[name]);
}

export function onlyLatest(work) {  // answers of questions that were overtaken are dropped
  let latest = 0;
  return async (...given) => {
    const own = ++latest;
    return work(() => own === latest, ...given);
  };
}
