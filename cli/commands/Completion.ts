/** `cadastre completion`: the shell's completion script, made from the registry of commands. */
import { Exit, type Run } from "#cli/Command.ts"
import { commands, connectOptions } from "#cli/Commands.ts"
import { complain, say } from "#cli/Output.ts"

interface Words {
  /** Words of the command, such as `audit log`. */
  readonly name: string
  readonly summary: string
  readonly flags: ReadonlyArray<{ readonly flag: string; readonly description: string }>
}

export const run: Run = ([shell = ""]) => {
  const make = scripts[shell]
  if (make === undefined) {
    complain(`no completion for ${shell}; there is one for ${Object.keys(scripts).join(", ")}`)
    return Promise.resolve(Exit.usage)
  }
  say(make(words()))
  return Promise.resolve(Exit.ok)
}

const words = (): ReadonlyArray<Words> =>
  commands.map(({ connects, name, options, summary }) => ({
    name,
    summary,
    flags: [...options ?? [], ...connects ? connectOptions : []].flatMap(({ description, flags }) =>
      flags.split(/[ ,]+/).filter((flag) => flag.startsWith("-")).map((flag) => ({ flag, description }))
    )
  }))

const firstWords = (
  all: ReadonlyArray<Words>
): ReadonlyArray<string> => [...new Set(all.map(({ name }) => name.split(" ")[0] ?? ""))]

const secondWords = (all: ReadonlyArray<Words>, first: string): ReadonlyArray<string> =>
  all.flatMap(({ name }) => {
    const [group, second] = name.split(" ")
    return group === first && second !== undefined ? [second] : []
  })

const groups = (all: ReadonlyArray<Words>): ReadonlyArray<string> =>
  firstWords(all).filter((first) => secondWords(all, first).length > 0)

const bash = (all: ReadonlyArray<Words>): string =>
  `_cadastre() {
  local word=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]-}
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "${firstWords(all).join(" ")} help" -- "$word"))
    return
  fi
  case $command in
${
    groups(all).map((first) =>
      `  ${first})
    if [ "$COMP_CWORD" = 2 ]; then
      COMPREPLY=($(compgen -W "${secondWords(all, first).join(" ")}" -- "$word"))
      return
    fi
    command="$command \${COMP_WORDS[2]}"
    ;;`
    ).join("\n")
  }
  esac
  case $word in
  -*)
    case $command in
${
    all.map(({ flags, name }) =>
      `    "${name}") COMPREPLY=($(compgen -W "${flags.map(({ flag }) => flag).join(" ")}" -- "$word")) ;;`
    ).join("\n")
  }
    esac
    ;;
  esac
}
complete -o default -F _cadastre cadastre`

const quoted = (text: string): string =>
  text.replaceAll("'", "'\\''").replaceAll(":", "\\:").replaceAll("[", "\\[").replaceAll("]", "\\]")

const zsh = (all: ReadonlyArray<Words>): string =>
  `#compdef cadastre
_cadastre() {
  local -a commands
  if (( CURRENT == 2 )); then
    commands=(${
    firstWords(all).map((first) => {
      const summary = all.find(({ name }) => name === first)?.summary ?? "more commands"
      return `'${first}:${quoted(summary)}'`
    }).join(" ")
  })
    _describe command commands
    return
  fi
  local command=$words[2]
  case $command in
${
    groups(all).map((first) =>
      `  ${first})
    if (( CURRENT == 3 )); then
      commands=(${
        secondWords(all, first).map((second) =>
          `'${second}:${quoted(all.find(({ name }) => name === `${first} ${second}`)?.summary ?? "")}'`
        ).join(" ")
      })
      _describe command commands
      return
    fi
    command="$command $words[3]"
    ;;`
    ).join("\n")
  }
  esac
  case $command in
${
    all.map(({ flags, name }) =>
      `  '${name}') _arguments ${
        flags.map(({ description, flag }) => `'${flag}[${quoted(description)}]'`).join(" ")
      } '*:file:_files' ;;`
    ).join("\n")
  }
  esac
}
compdef _cadastre cadastre`

const fish = (all: ReadonlyArray<Words>): string => {
  const escape = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")
  const lines = firstWords(all).map((first) => {
    const summary = all.find(({ name }) => name === first)?.summary ?? "more commands"
    return `complete -c cadastre -n __fish_use_subcommand -a ${first} -d '${escape(summary)}'`
  })
  for (const { flags, name, summary } of all) {
    const [first = "", second] = name.split(" ")
    const within = second === undefined
      ? `__fish_seen_subcommand_from ${first}`
      : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}`
    if (second !== undefined) {
      lines.push(`complete -c cadastre -n '__fish_seen_subcommand_from ${first}' -a ${second} -d '${escape(summary)}'`)
    }
    for (const { description, flag } of flags) {
      const option = flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`
      lines.push(`complete -c cadastre -n '${within}' ${option} -d '${escape(description)}'`)
    }
  }
  return lines.join("\n")
}

const scripts: { readonly [shell: string]: (all: ReadonlyArray<Words>) => string } = { bash, zsh, fish }
