import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { type Actor, alice, root } from "#domain/testing/Actors.ts"
import { created } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { unmakeable } from "#domain/testing/Names.ts"
import { directory, file, forged } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const makeNode = (by: Actor, path: string, mode: number, rdev = 0) =>
  ask(by, "makeNode", ({ place }) => ({ ...place(path), mode, umask: 0o022, rdev }))

const made = (by: Actor, path: string, mode: number, rdev = 0) => ({ fresh, place }: World) => [
  created(place(path), fresh, mode, by, { rdev })
]

const home = directory("/home", { owner: alice })

describe("mknod", () => {
  it.each([
    ["a fifo", Mode.S_IFIFO],
    ["a socket", Mode.S_IFSOCK],
    ["a regular file", Mode.S_IFREG],
    ["a whiteout", Mode.S_IFCHR]
  ])("makes %s for anybody, less the umask, without a device number", (_, type) => {
    given(home)
      .when(makeNode(alice, "/home/x", type | 0o666, type === Mode.S_IFCHR ? 0 : 259))
      .happens(made(alice, "/home/x", type | 0o644))
      .replying(({ stat }) => ({ attributes: stat("/home/x") }))
  })

  it("makes a regular file when no type is named", () => {
    given(home).when(makeNode(alice, "/home/x", 0o600)).happens(made(alice, "/home/x", Mode.S_IFREG | 0o600))
  })

  it("makes devices for root alone", () => {
    given(home)
      .when(makeNode(root, "/home/c", Mode.S_IFCHR | 0o600, 0xffff_ffff))
      .happens(made(root, "/home/c", Mode.S_IFCHR | 0o600, 0xffff_ffff))
      .when(makeNode(root, "/home/b", Mode.S_IFBLK | 0o600, 0))
      .happens(made(root, "/home/b", Mode.S_IFBLK | 0o600))
      .when(makeNode(alice, "/home/x", Mode.S_IFCHR | 0o600, 259)).refuses("EPERM")
      .when(makeNode(alice, "/home/x", Mode.S_IFBLK | 0o600)).refuses("EPERM")
  })

  it("makes no directories, no symbolic links and nothing unheard of", () => {
    given()
      .when(makeNode(root, "/x", Mode.S_IFDIR | 0o755)).refuses("EPERM")
      .when(makeNode(root, "/x", Mode.S_IFLNK | 0o777)).refuses("EINVAL")
      .when(makeNode(root, "/x", 0o010000 | 0o040000)).refuses("EINVAL")
      .when(makeNode(root, "/x", Mode.S_IFMT)).refuses("EINVAL")
  })

  it("refuses by the type, then by the name, then by the rights, then by who may make devices", () => {
    given(file("/x"), home)
      .when(makeNode(alice, "/x", Mode.S_IFDIR)).refuses("EPERM")
      .when(makeNode(alice, "/x", Mode.S_IFMT)).refuses("EINVAL")
      .when(makeNode(alice, "/x", Mode.S_IFBLK)).refuses("EEXIST")
      .when(makeNode(alice, "/y", Mode.S_IFBLK)).refuses("EACCES")
      .when(makeNode(alice, "/home/y", Mode.S_IFBLK)).refuses("EPERM")
      .when(makeNode(alice, "/x/y", Mode.S_IFREG)).refuses("ENOTDIR")
      .when(ask(root, "makeNode", { parent: 99, name: "x", mode: 0, umask: 0, rdev: 0 })).refuses("ESTALE")
  })

  it.each(unmakeable)("refuses the name %j with %s", (name, errno) => {
    given()
      .when(ask(root, "makeNode", ({ root }) => ({ parent: root, name, mode: 0, umask: 0, rdev: 0 })))
      .refuses(errno)
  })

  it("refuses when the zone has no inode number left", () => {
    given(forged((state) => {
      state.nextInode = Limits.localNumberMax + 1
    })).when(makeNode(root, "/x", 0)).refuses("ENOSPC")
  })
})
