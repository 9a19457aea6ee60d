/**
 * Text → tree with places, or problems: the only file that knows the YAML library. Policies use the
 * plain part of YAML: no anchors (a reader must see the value where it counts, and aliases explode),
 * no tags, one document, decimal numbers.
 */
import {
  COLLECTION_STYLE,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  YAMLException,
} from "js-yaml";
import type { Problem } from "../base/problem.js";
import { openDelimiter, refuseSource, Source, type SourceFile } from "./source.js";
import {
  type Entry,
  type Layout,
  type MapNode,
  type Node,
  type Place,
  problemAt,
  type ScalarNode,
} from "./tree.js";

export interface Parsed {
  /** Null when there is nothing that further checks could read. */
  readonly root: MapNode | null;
  readonly problems: readonly Problem[];
}

/** The deepest policy needs eight levels. */
const DEPTH_MAX = 40;
/** A file with more has one mistake many times over. */
const PROBLEMS_MAX = 200;

/** By file as it was read: each environment of a set reads the same ones. */
const parsedFiles = new WeakMap<SourceFile, Parsed>();

export function parsePolicyText(file: SourceFile): Parsed {
  const parsed = parsedFiles.get(file) ?? parseText(file);
  parsedFiles.set(file, parsed);
  return parsed;
}

function parseText(file: SourceFile): Parsed {
  const source = new Source(file);
  const refusal = refuseSource(source);
  if (refusal) return { root: null, problems: [refusal] };
  const events = readEvents(source);
  if (!Array.isArray(events)) return { root: null, problems: [events] };
  return new TreeBuilder(source, events).build();
}

function readEvents(source: Source): Event[] | Problem {
  try {
    return parseEvents(source.text, { maxDepth: DEPTH_MAX });
  } catch (error) {
    if (error instanceof YAMLException) return syntaxProblem(source, error);
    throw error;
  }
}

function syntaxProblem(source: Source, error: YAMLException): Problem {
  const offset = error.mark?.position ?? 0;
  if (error.reason.startsWith("tab characters"))
    return problemAt(source.place(offset), "found a tab, expected spaces as indentation");
  if (error.reason.startsWith("nesting exceeded"))
    return problemAt(source.place(offset), `found more than ${DEPTH_MAX} levels of nesting`);
  const open = openDelimiter(source.text, offset);
  if (open) return problemAt(source.place(open.at), `found ${open.name} that is never closed`);
  if (error.reason.startsWith("can not read a block mapping entry"))
    return problemAt(lineBefore(source, offset), 'found no ": " on this line, expected key: value');
  return problemAt(
    source.place(offset),
    `not valid YAML: ${error.reason}`,
    'look at the indentation; a text that holds ": " or begins with one of @ ` % & * ! | > [ { needs quotes',
  );
}

/** The parser takes a line without a colon for the first half of a long key, and complains on the next. */
function lineBefore(source: Source, offset: number): Place {
  const lines = source.text.slice(0, offset).split(/\r\n|\n|\r/);
  const at = lines.findLastIndex((text, index) => index < lines.length - 1 && /\S/.test(text));
  if (at === -1) return source.place(offset);
  return { file: source.path, line: at + 1, column: lines[at]!.search(/\S/) + 1 };
}

class TreeBuilder {
  readonly #source: Source;
  readonly #events: readonly Event[];
  readonly #problems: Problem[] = [];
  readonly #anchors: Place[] = [];
  #next = 0;

  constructor(source: Source, events: readonly Event[]) {
    this.#source = source;
    this.#events = events;
  }

  build(): Parsed {
    const start = this.#source.place(0);
    if (this.#events.length === 0)
      return {
        root: null,
        problems: [problemAt(start, "found an empty file, expected keys and values")],
      };
    this.#next = 1;
    const root = this.#readNode(start);
    this.#next += 1;
    if (this.#next < this.#events.length) this.#problems.push(this.#secondDocument());
    this.#reportAnchors();
    if (root.kind !== "map") this.#problems.push(notKeysAndValues(root));
    return {
      root: root.kind === "map" ? root : null,
      problems: this.#problems.slice(0, PROBLEMS_MAX),
    };
  }

  #secondDocument(): Problem {
    const marks = [...this.#source.text.matchAll(/^---(?=\s|$)/gm)];
    const first = this.#events[0];
    const explicit = first?.type === EVENT_ID.DOCUMENT && first.explicitStart;
    const mark = marks[explicit ? 1 : 0];
    return problemAt(
      this.#source.place(mark?.index ?? 0),
      "found a second document, expected one document in a file",
      "make it a file of its own",
    );
  }

  #reportAnchors(): void {
    const [first] = this.#anchors;
    if (!first) return;
    const more = this.#anchors.length - 1;
    this.#problems.push(
      problemAt(
        first,
        `found an anchor or alias${more > 0 ? ` (and ${more} more)` : ""}, expected plain values`,
        "write the value out where it is meant",
      ),
    );
  }

  #readNode(fallback: Place): Node {
    const event = this.#events[this.#next]!;
    this.#next += 1;
    if ("anchorStart" in event && event.anchorStart !== -1)
      this.#anchors.push(this.#source.place(event.anchorStart - 1));
    if ("tagStart" in event && event.tagStart !== -1) this.#refuseTag(event.tagStart, event.tagEnd);
    switch (event.type) {
      case EVENT_ID.SCALAR:
        return this.#scalar(event, fallback);
      case EVENT_ID.SEQUENCE:
        return this.#list(this.#source.place(event.start), layoutOf(event));
      case EVENT_ID.MAPPING:
        return this.#map(this.#source.place(event.start), layoutOf(event));
      default:
        return nothingAt(fallback, true);
    }
  }

  #refuseTag(start: number, end: number): void {
    this.#problems.push(
      problemAt(
        this.#source.place(start),
        `found the tag ${this.#source.text.slice(start, end)}, expected a plain value`,
      ),
    );
  }

  #list(place: Place, layout: Layout): Node {
    const items: Node[] = [];
    while (this.#events[this.#next]!.type !== EVENT_ID.POP) items.push(this.#readNode(place));
    this.#next += 1;
    return { kind: "list", place, layout, items };
  }

  #map(place: Place, layout: Layout): MapNode {
    const entries = new Map<string, Entry>();
    while (this.#events[this.#next]!.type !== EVENT_ID.POP) {
      const key = this.#readNode(place);
      const node = this.#readNode(key.place);
      // An empty key has no place of its own; its value is the nearest thing to look at.
      const refusal = refuseKey(key, entries, node.place);
      if (refusal) this.#problems.push(refusal);
      else entries.set((key as ScalarNode).text, { key: key.place, node });
    }
    this.#next += 1;
    return { kind: "map", place, layout, entries };
  }

  #scalar(event: Extract<Event, { type: typeof EVENT_ID.SCALAR }>, fallback: Place): ScalarNode {
    if (event.valueStart === -1) return nothingAt(fallback, false);
    const text = getScalarValue(this.#source.text, event);
    const quoted = event.style !== SCALAR_STYLE.PLAIN;
    const mark =
      event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED;
    const around = mark ? 1 : 0;
    const place = this.#source.place(event.valueStart - around);
    const written = { start: event.valueStart - around, end: event.valueEnd + around };
    const span = quoted && !mark ? undefined : written;
    if (quoted) return { kind: "scalar", place, span, value: text, text, quoted, refused: false };
    const refusal = refuseNumeral(text, place);
    if (refusal) this.#problems.push(refusal);
    return {
      kind: "scalar",
      place,
      span,
      value: plainValue(text),
      text,
      quoted,
      refused: refusal !== null,
    };
  }
}

function layoutOf(event: { readonly start: number; readonly style: number }): Layout {
  return { start: event.start, flow: event.style === COLLECTION_STYLE.FLOW };
}

function nothingAt(place: Place, refused: boolean): ScalarNode {
  return { kind: "scalar", place, value: null, text: "", quoted: false, refused };
}

function notKeysAndValues({ kind, place }: Node): Problem {
  return problemAt(
    place,
    `found ${kind === "list" ? "a list" : "one value"}, expected keys and values`,
  );
}

function refuseKey(key: Node, entries: ReadonlyMap<string, Entry>, place: Place): Problem | null {
  if (key.kind !== "scalar")
    return problemAt(key.place, "found a list or map as a key, expected a name");
  if (key.refused) return null;
  if (key.text === "") return problemAt(place, "found an empty key, expected a name");
  if (key.text === "<<")
    return problemAt(
      key.place,
      'found a merge key "<<", expected plain keys',
      "write the keys out",
    );
  if (Object.hasOwn(Object.prototype, key.text))
    return problemAt(key.place, `found the key "${key.text}", which is reserved`);
  const first = entries.get(key.text);
  return first
    ? problemAt(key.place, `found the key "${key.text}" twice, first on line ${first.key.line}`)
    : null;
}

const DECIMAL = /^[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/;
/** Numerals that YAML dialects read differently, or that are no finite number. */
const DOUBTFUL =
  /^[-+]?(?:0x[\da-f]+|0o[0-7]+|0b[01]+|0\d+(?:\.\d*)?|\d[\d,]*_[\d_,]*|\.inf|\.nan)$/i;

function refuseNumeral(text: string, place: Place): Problem | null {
  const tooLarge = DECIMAL.test(text) && Math.abs(Number(text)) > Number.MAX_SAFE_INTEGER;
  if (!tooLarge && !DOUBTFUL.test(text)) return null;
  return problemAt(
    place,
    `found ${text}, expected a plain decimal number`,
    "if it is a text, put it in quotes",
  );
}

function plainValue(text: string): ScalarNode["value"] {
  if (text === "" || text === "~" || text === "null") return null;
  if (text === "true" || text === "false") return text === "true";
  return DECIMAL.test(text) ? Number(text) : text;
}
