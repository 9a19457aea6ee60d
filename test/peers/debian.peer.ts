/** Says which versions the comparisons of this suite are with. */
import { expect, test } from "vitest";
import { findPeer } from "./debian.js";

const PROGRAMS = ["promtool", "alertmanager", "amtool", "vmalert", "victoria-metrics"] as const;

for (const program of PROGRAMS) {
  const peer = await findPeer(program);
  const title = peer.ok ? `${program}: ${peer.version}` : peer.reason;
  test.skipIf(!peer.ok)(title, () => {
    expect(peer).toMatchObject({ ok: true, version: expect.stringMatching(/\d+\.\d+|\d{8}/) });
  });
}
