/**
 * Which image a plan is made with: the one that runs. So a change of numbers never deploys code, and a deployment, which
 * changes no number, is never taken back by the next apply.
 */

/** Terraform takes its value from the environment: on a command line it would be one more thing to quote. */
export const IMAGE_VARIABLE = "TF_VAR_image_tag";

export interface RunningImage {
  readonly name: string;
  /** Null: it runs an image that no commit is the name of. */
  readonly imageTag: string | null;
}

export type TagToPlan = { readonly tag: string } | { readonly refusal: string };

const COMMIT = /^[0-9a-f]{40}$/;

/** @param otherwise for an estate in which nothing runs yet: the commit that is to be the first */
export function tagToPlan(running: readonly RunningImage[], otherwise: string | null): TagToPlan {
  if (running.length === 0) return firstTag(otherwise);
  const nameless = running.filter(({ imageTag }) => imageTag === null || !COMMIT.test(imageTag));
  if (nameless.length > 0) {
    const names = nameless.map(({ name }) => name).join(", ");
    return { refusal: `${names}: the image is not named by a commit, expected 40 hex digits` };
  }
  const tags = [...new Set(running.map(({ imageTag }) => imageTag!))];
  if (tags.length === 1) return { tag: tags[0]! };
  const each = running.map(({ name, imageTag }) => `${name} runs ${imageTag!.slice(0, 12)}`);
  return {
    refusal: `${each.join(", ")}: let the deployment end, or roll it back, before you plan`,
  };
}

function firstTag(otherwise: string | null): TagToPlan {
  if (otherwise === null)
    return { refusal: "nothing runs yet: say with --else which commit is to be the first" };
  if (COMMIT.test(otherwise)) return { tag: otherwise };
  return { refusal: "--else: expected a commit's whole id of 40 lower-case hexadecimal digits" };
}
