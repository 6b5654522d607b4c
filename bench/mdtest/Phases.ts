/** The phases of mdtest: what they are called, and the commands of one item in each. */
import type { Selection } from "#bench/mdtest/Options.ts"
import * as Plan from "#bench/mdtest/Plan.ts"
import type { Call } from "#client/ZoneLink.ts"
import type { Credentials } from "#domain/Credentials.ts"
import { Limits } from "#domain/Limits.ts"
import type { Operation } from "#domain/Operation.ts"
import { type OperationName, operations, type RequestOf } from "#domain/Operations.ts"

/** Phases in the order of a run; each with its title in the table and what its figures' names begin with. */
export const phases = {
  treeCreation: { title: "Tree creation", key: "treeCreate" },
  directoryCreation: { title: "Directory creation", key: "directoryCreate" },
  directoryStat: { title: "Directory stat", key: "directoryStat" },
  directoryRename: { title: "Directory rename", key: "directoryRename" },
  directoryRemoval: { title: "Directory removal", key: "directoryRemove" },
  fileCreation: { title: "File creation", key: "create" },
  fileStat: { title: "File stat", key: "stat" },
  fileRead: { title: "File read", key: "read" },
  fileRemoval: { title: "File removal", key: "remove" },
  treeRemoval: { title: "Tree removal", key: "treeRemove" }
} as const

export type PhaseName = keyof typeof phases
/** What must be done around them, and no figure tells of. */
export type UntimedName = "setUp" | "openTest" | "openTrees" | "tearDown"

/** The phases that a selection asks for. */
export const selected = ({ create, directories, files, read, remove, stat }: Selection): ReadonlyArray<PhaseName> => {
  const names: Array<PhaseName> = []
  const add = (wanted: boolean, name: PhaseName): void => void (wanted && names.push(name))
  add(create, "treeCreation")
  add(directories && create, "directoryCreation")
  add(directories && stat, "directoryStat")
  // Names that another run looks for stay as they are.
  add(directories && create && remove, "directoryRename")
  add(directories && remove, "directoryRemoval")
  add(files && create, "fileCreation")
  add(files && stat, "fileStat")
  add(files && read, "fileRead")
  add(files && remove, "fileRemoval")
  add(remove, "treeRemoval")
  return names
}

/** Puts the commands of one item behind the others of its request. */
export type Build = (calls: Array<Call>, parent: number, item: number) => void

const DIRECTORY_MODE = 0o755
const FILE_MODE = 0o644

export type ItemPhase = Exclude<PhaseName, "treeCreation" | "treeRemoval">

/** How the commands of a task's items are made in a phase. */
export const builderOf = (phase: ItemPhase, task: number, renamed: boolean, who: Credentials): Build => {
  const file = Plan.filePrefix(task)
  const directory = Plan.directoryPrefix(task)
  const suffix = renamed ? Plan.RENAMED : ""
  switch (phase) {
    case "directoryCreation": {
      const ask = asker("makeDirectory", who)
      return (calls, parent, item) =>
        void calls.push(ask({ parent, name: directory + item, mode: DIRECTORY_MODE, umask: 0 }))
    }
    case "directoryStat": {
      const ask = asker("lookup", who)
      return (calls, parent, item) => void calls.push(ask({ parent, name: directory + item + suffix }))
    }
    case "directoryRename": {
      const ask = asker("rename", who)
      return (calls, parent, item) => {
        const fromName = directory + item
        const toName = fromName + Plan.RENAMED
        calls.push(ask({ fromParent: parent, fromName, toParent: parent, toName, mode: "keep" }))
      }
    }
    case "directoryRemoval": {
      const ask = asker("removeDirectory", who)
      return (calls, parent, item) => void calls.push(ask({ parent, name: directory + item + suffix }))
    }
    case "fileCreation": {
      const ask = asker("create", who)
      // Written out: to spread what is always the same would cost more than the rest of this.
      return (calls, parent, item) =>
        void calls.push(
          ask({ parent, name: file + item, mode: FILE_MODE, umask: 0, exclusive: true, truncate: false, access: 0 })
        )
    }
    case "fileStat": {
      const ask = asker("lookup", who)
      return (calls, parent, item) => void calls.push(ask({ parent, name: file + item }))
    }
    case "fileRead": {
      const find = asker("lookup", who)
      const read = asker("readExtents", who)
      // The inode that the command before it finds.
      const all = { inode: -1, handle: 0, offset: 0, length: Limits.fileBytesMax }
      return (calls, parent, item) => void calls.push(find({ parent, name: file + item }), read(all))
    }
    case "fileRemoval": {
      const ask = asker("unlink", who)
      return (calls, parent, item) => void calls.push(ask({ parent, name: file + item }))
    }
  }
}

/** Makes calls of one operation. */
export const asker = <Name extends OperationName>(name: Name, who: Credentials) => {
  const operation = operations[name] as Operation<unknown, unknown>
  return (request: RequestOf<Name>): Call => ({ operation, request, who })
}
