/** The XML of AWS's Query services, as far as they use it: elements and text, neither attributes nor comments matter. */
import { fault } from "../base/fault.js";

export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

interface Open {
  readonly name: string;
  text: string;
  readonly children: XmlElement[];
}

const PIECE =
  /<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([A-Za-z_][\w:.-]*)[^<>]*?(\/?)>|<[?!][^<>]*>|([^<]+)/g;
const ENTITIES: Readonly<Record<string, string>> = {
  ...{ lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" },
};

/** Throws a transient Fault `AWS_ANSWER_INVALID` for what is no whole document. */
export function parseXml(document: string): XmlElement {
  const root: Open = { name: "", text: "", children: [] };
  const open: Open[] = [root];
  for (const [, cdata, closing, name, empty, text] of document.matchAll(PIECE)) {
    const top = open.at(-1) ?? root;
    if (cdata !== undefined) top.text += cdata;
    else if (text !== undefined) top.text += decode(text);
    else if (name === undefined) continue;
    else if (closing === "/") {
      if (open.length < 2 || top.name !== name) throw invalid(`</${name}> closes ${top.name}`);
      open.pop();
    } else {
      const element: Open = { name, text: "", children: [] };
      top.children.push(element);
      if (empty !== "/") open.push(element);
    }
  }
  const [document_] = root.children;
  if (open.length > 1 || document_ === undefined) throw invalid("its end is missing");
  return document_;
}

function decode(text: string): string {
  return text.replace(/&(\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}

function invalid(found: string) {
  return fault.transient("AWS_ANSWER_INVALID", `expected an XML document; found that ${found}`);
}

/** The first of this path below; undefined when there is none. */
export function childOf(element: XmlElement | undefined, path: string): XmlElement | undefined {
  let at = element;
  for (const name of path.split("/")) at = at?.children.find((child) => child.name === name);
  return at;
}

export function textOf(element: XmlElement | undefined, path: string): string | undefined {
  return childOf(element, path)?.text.trim();
}

/** `<path><item>…</item></path>`: how EC2 writes lists. */
export function itemsOf(element: XmlElement | undefined, path: string): readonly XmlElement[] {
  return (childOf(element, path)?.children ?? []).filter(({ name }) => name === "item");
}
