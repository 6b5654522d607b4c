import { alice, STAFF } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, file, linked, opened, removed, symlink, written } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const getAttributes = (inode: (world: World) => number) =>
  ask(alice, "getAttributes", (world) => ({ inode: inode(world) }))

const of = (path: string) => ({ at }: World): number => at(path)

describe("getattr", () => {
  it("tells size, data, links and owner of a file, whatever its permissions", () => {
    const { world } = given(file("/x", { mode: 0o000, owner: alice, gid: STAFF }), written("/x", 100, 10))
      .and(linked("/x", "/y"))
      .when(getAttributes(of("/x"))).answers(({ stat }) => ({ attributes: stat("/x") }))
    expect(world.stat("/x")).toMatchObject({
      mode: 0o100000,
      uid: 1000,
      gid: STAFF,
      nlink: 2,
      size: 110,
      dataBytes: 10
    })
  })

  it("gives directories 4,096 bytes and symbolic links their target's", () => {
    const { world } = given(directory("/d"), directory("/d/e"), symlink("/l", "target"))
      .when(getAttributes(of("/d"))).answers(({ stat }) => ({ attributes: stat("/d") }))
      .when(getAttributes(of("/l"))).answers(({ stat }) => ({ attributes: stat("/l") }))
    expect(world.stat("/d")).toMatchObject({ size: 4096, nlink: 3 })
    expect(world.stat("/l")).toMatchObject({ size: 6, dataBytes: 0, mode: 0o120777 })
  })

  it("tells of a file without a name while it is open", () => {
    const { world } = given(file("/x"), opened("/x", "h"), removed("/x", "x"))
    given(file("/x"), opened("/x", "h"), removed("/x", "x"))
      .when(getAttributes(({ the }) => the("x")))
      .answers(({ live, the }) => ({ attributes: live.expect(the("x")).attributes() }))
    expect(world.live.expect(world.the("x")).attributes().nlink).toBe(0)
  })

  it("refuses what is not there", () => {
    given(file("/x"), removed("/x", "x")).when(getAttributes(({ the }) => the("x"))).refuses("ESTALE")
  })
})
