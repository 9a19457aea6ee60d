/**
 * Turns comments, and the insides of texts and regular expressions, into spaces. Positions and lines stay,
 * quotes stay, and so does the code inside `${…}`: what is left is what runs.
 */
const BEFORE_REGEX =
  /(?:^|[=(,[!&|?{};:+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|await|yield|void))\s*$/;

export function blank(text: string): string {
  return new Blanker(text).run();
}

class Blanker {
  readonly #text: string;
  readonly #out: string[] = [];
  #at = 0;
  /** For each open template, how many braces are open in its current `${`. */
  readonly #templates: number[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  run(): string {
    while (this.#at < this.#text.length) this.#step();
    return this.#out.join("");
  }

  #step(): void {
    const char = this.#text[this.#at]!;
    const pair = this.#text.slice(this.#at, this.#at + 2);
    if (pair === "//" || (pair === "#!" && this.#at === 0)) this.#erase(this.#endOf("\n"));
    else if (pair === "/*") this.#erase(this.#endOf("*/") + 2);
    else if (char === '"' || char === "'") this.#quoted(char);
    else if (char === "`") this.#template();
    else if (char === "/" && BEFORE_REGEX.test(this.#codeBefore())) this.#regex();
    else this.#brace(char);
  }

  /** Braces decide where a `${` ends and its template goes on. */
  #brace(char: string): void {
    this.#keep(1);
    const depth = this.#templates.length - 1;
    if (depth < 0) return;
    if (char === "{") this.#templates[depth]!++;
    if (char === "}" && --this.#templates[depth]! === 0) {
      this.#templates.pop();
      this.#templateText();
    }
  }

  #quoted(quote: string): void {
    this.#keep(1);
    let end = this.#at;
    while (end < this.#text.length && this.#text[end] !== quote && this.#text[end] !== "\n")
      end += this.#text[end] === "\\" ? 2 : 1;
    this.#erase(end);
    this.#keep(1);
  }

  #template(): void {
    this.#keep(1);
    this.#templateText();
  }

  #templateText(): void {
    let end = this.#at;
    while (end < this.#text.length && this.#text[end] !== "`" && !this.#text.startsWith("${", end))
      end += this.#text[end] === "\\" ? 2 : 1;
    this.#erase(end);
    const interpolates = this.#text.startsWith("${", this.#at);
    this.#keep(interpolates ? 2 : 1);
    if (interpolates) this.#templates.push(1);
  }

  #regex(): void {
    let end = this.#at + 1;
    let inClass = false;
    while (end < this.#text.length && this.#text[end] !== "\n") {
      const char = this.#text[end];
      if (char === "[") inClass = true;
      if (char === "]") inClass = false;
      if (char === "/" && !inClass) break;
      end += char === "\\" ? 2 : 1;
    }
    this.#keep(1);
    this.#erase(end);
    this.#keep(1);
  }

  #codeBefore(): string {
    return this.#out.slice(-24).join("");
  }

  #endOf(mark: string): number {
    const end = this.#text.indexOf(mark, this.#at);
    return end === -1 ? this.#text.length : end;
  }

  #keep(count: number): void {
    for (const char of this.#text.slice(this.#at, this.#at + count)) this.#out.push(char);
    this.#at += count;
  }

  #erase(end: number): void {
    const upTo = Math.min(end, this.#text.length);
    for (let i = this.#at; i < upTo; i++) this.#out.push(this.#text[i] === "\n" ? "\n" : " ");
    this.#at = upTo;
  }
}
