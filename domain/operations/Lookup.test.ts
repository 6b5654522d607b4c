import { alice } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { impossible, LONGEST } from "#domain/testing/Names.ts"
import { directory, fifo, file, opened, removed } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const lookup = (parent: (world: World) => number, name: string) =>
  ask(alice, "lookup", (world) => ({ parent: parent(world), name }))

const inRoot = ({ root }: World): number => root
const inside = (path: string) => ({ at }: World): number => at(path)

describe("lookup", () => {
  it("finds a name and tells its attributes", () => {
    given(file("/x"), fifo("/p"), file(`/${LONGEST}`))
      .when(lookup(inRoot, "x")).answers(({ stat }) => ({ attributes: stat("/x") }))
      .when(lookup(inRoot, "p")).answers(({ stat }) => ({ attributes: stat("/p") }))
      .when(lookup(inRoot, LONGEST)).answers(({ stat }) => ({ attributes: stat(`/${LONGEST}`) }))
  })

  it("wants search permission and no other", () => {
    given(directory("/a", { mode: 0o711 }), file("/a/x"), directory("/b", { mode: 0o766 }), file("/b/x"))
      .when(lookup(inside("/a"), "x")).answers(({ stat }) => ({ attributes: stat("/a/x") }))
      .when(lookup(inside("/b"), "x")).refuses("EACCES")
  })

  it("refuses what is not there, and what is no directory", () => {
    given(file("/x"), directory("/d"), opened("/d", "h", undefined, 1), removed("/d", "d"))
      .when(lookup(inRoot, "no")).refuses("ENOENT")
      .when(lookup(inside("/x"), "y")).refuses("ENOTDIR")
      .when(lookup(() => 99, "y")).refuses("ESTALE")
      .when(lookup(() => 0, "y")).refuses("ESTALE")
      .when(lookup(({ the }) => the("d"), "y")).refuses("ENOENT")
  })

  it.each(impossible)("refuses the name %j with %s", (name, errno) => {
    given(file("/x")).when(lookup(inRoot, name)).refuses(errno)
  })

  it("looks at the rights before it looks at the name", () => {
    given(directory("/shut", { mode: 0o700 }), file("/x"))
      .when(lookup(inside("/shut"), `${LONGEST}n`)).refuses("EACCES")
      .when(lookup(inside("/x"), `${LONGEST}n`)).refuses("ENOTDIR")
  })
})
