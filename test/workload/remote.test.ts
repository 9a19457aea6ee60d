import { describe, expect, it } from "vitest";
import { parseRemote, repoId } from "../../src/workload/remote.js";

describe("a remote", () => {
  const ways = [
    "https://github.com/Acme/Widgets.git",
    "https://ada:secret@github.com/acme/widgets",
    "git@github.com:acme/widgets.git",
    "ssh://git@github.com:22/acme/widgets/",
    "git://github.com/acme/widgets.git",
  ];

  it.each(ways)("is the same repository as %s", (remote) => {
    expect(parseRemote(remote)?.canonical).toBe("github.com/acme/widgets");
    expect(repoId({ remote, path: "/a" })).toBe(repoId({ remote: ways[0] ?? "", path: "/b" }));
  });

  it("keeps case and port of a host that we do not know", () => {
    expect(parseRemote("ssh://git@Git.Example.org:2222/Team/Sub/Tool.git")).toEqual({
      canonical: "git.example.org:2222/Team/Sub/Tool",
      org: "Team/Sub",
      name: "Tool",
    });
  });

  it("is none when it is longer than any host takes, or holds what no address does", () => {
    const slashes = "/".repeat(1_000_000);
    for (const remote of [`https://h${slashes}x`, "https://h/a\u001b[31m", "https://h/a\nb"])
      expect(parseRemote(remote)).toBeNull();
  });

  it.each(["/srv/git/tool.git", "../tool", "file:///srv/tool.git", "C:/tool", "", "ext::sh -c id"])(
    "is none when it is a folder or a command: %s",
    (remote) => {
      expect(parseRemote(remote)).toBeNull();
      expect(repoId({ remote, path: "/a" })).toBe(repoId({ remote: null, path: "/a" }));
    },
  );
});
