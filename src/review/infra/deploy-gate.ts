/**
 * Whether a commit may go to production (LB-aws-10): a person named all of it and typed the word, it is on the main
 * branch, and it is what staging runs. Tags are never moved, so the same tag is the same image, byte for byte.
 */

/** What is typed to say that it is meant. */
export const DEPLOY_WORD = "deploy";
const COMMIT = /^[0-9a-f]{40}$/;

export interface DeployWish {
  /** As it was typed. */
  readonly tag: string;
  readonly confirm: string;
  /** Whether the commit is on the main branch; null: nobody could say. */
  readonly isOnMain: boolean | null;
  /** What each service of staging runs: its image's tag, or null for an image by digest or none. */
  readonly staging: Readonly<Record<string, string | null>>;
}

/** A sentence for each reason against it; none when it may go. */
export function judgeDeployment({ tag, confirm, isOnMain, staging }: DeployWish): string[] {
  return [
    ...judgeTyped(tag, confirm),
    ...judgeHistory(tag, isOnMain),
    ...judgeStaging(tag, staging),
  ];
}

/** Shorter ids are a guess by whoever reads them, and capitals are no tag of ours. */
export function isWholeCommit(tag: string): boolean {
  return COMMIT.test(tag);
}

function judgeTyped(tag: string, confirm: string): string[] {
  const sentences = [];
  if (!isWholeCommit(tag))
    sentences.push(
      `image_tag: found ${quoted(tag)}, expected a commit's whole id of 40 lower-case hexadecimal digits`,
    );
  if (confirm !== DEPLOY_WORD)
    sentences.push(`confirm: found ${quoted(confirm)}, expected the word ${DEPLOY_WORD}`);
  return sentences;
}

function judgeHistory(tag: string, isOnMain: boolean | null): string[] {
  if (isOnMain === true || !isWholeCommit(tag)) return [];
  return isOnMain === false
    ? [`${tag} is not on the main branch: merge it first`]
    : [`whether ${tag} is on the main branch is not known: fetch the whole history`];
}

function judgeStaging(tag: string, staging: DeployWish["staging"]): string[] {
  const services = Object.entries(staging);
  if (services.length === 0) return ["what staging runs is not known: nothing is promoted unseen"];
  return services
    .filter(([, running]) => running !== tag)
    .map(
      ([name, running]) =>
        `staging's ${name} runs ${running ?? "no commit of ours"}: deploy it there first`,
    );
}

/** What a person typed into a form, in a log. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
