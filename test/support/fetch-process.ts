/** A worker that holds one clone, in a process of its own: whoever kills it leaves its git behind, fetching. */
import { createCloneCache } from "../../src/adapter/clone-cache.js";
import { cloneSetup, keptRepo } from "./kept-repo.js";

export interface FetchPlace {
  readonly folder: string;
  readonly origin: string;
}

const { TEST_FETCH_PLACE: given } = process.env;
if (given !== undefined) {
  const { folder, origin } = JSON.parse(given) as FetchPlace;
  const clones = createCloneCache(cloneSetup(folder, origin));
  await clones.hold(keptRepo(origin), { freshAfter: new Date(0) }, new AbortController().signal);
}
