/** A secret value on its way from where it is made to where it is kept: whatever prints it by accident prints nothing. */
import { inspect } from "node:util";

const SHOWN = "[secret]";

export class SecretText {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself: only in the line that hands it to its owner (a vendor's API, a server). */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
