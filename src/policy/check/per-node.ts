/** What was made of a node is remembered: environments share every node in which they do not differ. */
import type { Node } from "../tree.js";

/** @param make depends on the node and on `beside`, and on nothing else */
export function perNode<T>(
  make: (node: Node, beside: Node | undefined) => T,
): (node: Node, beside?: Node) => T {
  const known = new WeakMap<Node, { readonly beside: Node | undefined; readonly made: T }>();
  return (node, beside) => {
    const before = known.get(node);
    if (before !== undefined && before.beside === beside) return before.made;
    const made = make(node, beside);
    known.set(node, { beside, made });
    return made;
  };
}
