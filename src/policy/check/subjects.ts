/** What stands among the subjects of people: a slip in a prefix would make a token's subject of it, and find nobody. */
import type { Problem } from "../../base/problem.js";
import { SUBJECT_PREFIX, subjectKey } from "../subject.js";
import { type Node, problemAt, textOf } from "../tree.js";
import { checkUnique } from "./name.js";

const WORDS = Object.values(SUBJECT_PREFIX).map((prefix) => prefix.slice(0, -1));
const ADDRESS = /^[^\s@<>]+@[^\s@<>]+$/;

export function checkSubjects(subjects: readonly Node[]): Problem[] {
  return [...checkUnique(subjects, "the subject", subjectKey), ...subjects.flatMap(checkForm)];
}

function checkForm(node: Node): Problem[] {
  const text = textOf(node) ?? "";
  const end = text.indexOf(":");
  if (end < 0) return [];
  const [word, rest] = [text.slice(0, end), text.slice(end + 1)];
  const meant = findMeant(word);
  if (meant !== undefined)
    return [
      problemAt(
        node.place,
        `unknown form of a subject "${text}"`,
        `did you mean "${meant}:${rest}"?`,
      ),
    ];
  if (word === "git" && !ADDRESS.test(rest))
    return [problemAt(node.place, `found "${text}", expected git: and the address of commits`)];
  if (word === "cli" && rest.trim() === "")
    return [problemAt(node.place, `found "${text}", expected cli: and the user of a terminal`)];
  return [];
}

/** The one of ours that has these letters in another order or case; any other word may be an issuer's. */
function findMeant(word: string): string | undefined {
  const letters = (text: string) => [...text.toLowerCase()].sort().join("");
  return WORDS.find((known) => known !== word && letters(known) === letters(word));
}
