/** Where repositories come from, with the guard of GitHub before each call: a GitHub that fails is left alone by all. */
import type { SourceHost } from "../job/source-port.js";
import type { DependencyGuard } from "./dependency-guard.js";

/** `gitCredential` passes: it asks the supervisor, not GitHub. */
export function guardSource(source: SourceHost, guard: DependencyGuard): SourceHost {
  const guarded = <T>(signal: AbortSignal, work: () => Promise<T>) =>
    guard({ dependency: "github", signal }, work);
  return {
    host: source.host,
    listRepos: (owner, ask, signal) => guarded(signal, () => source.listRepos(owner, ask, signal)),
    repo: (of, signal) => guarded(signal, () => source.repo(of, signal)),
    deliveries: (owner, ask, signal) =>
      guarded(signal, () => source.deliveries(owner, ask, signal)),
    delivery: (owner, id, signal) => guarded(signal, () => source.delivery(owner, id, signal)),
    pulls: (repo, ask, signal) => guarded(signal, () => source.pulls(repo, ask, signal)),
    releases: (repo, ask, signal) => guarded(signal, () => source.releases(repo, ask, signal)),
    gitCredential: (signal) => source.gitCredential(signal),
  };
}
