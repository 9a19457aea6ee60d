/** Lists as the server writes them. */

/** Of constants of ours, never of what somebody else has said: nothing is escaped. */
export function textList(texts: readonly string[]): string {
  return texts.map((text) => `'${text}'`).join(", ");
}

/** The value of an array of numbers: the driver would quote each of them. */
export function numberList(list: readonly number[]): string {
  return `{${list.join(",")}}`;
}
