import JSON

extension Command {
    static let completions = Command(
        path: ["completions"], abstract: "Prints a script that teaches a shell to complete msorch.",
        arguments: [
            Argument(name: "SHELL", help: "bash, zsh or fish.", choices: ["bash", "zsh", "fish"])
        ],
        examples: [
            "source <(msorch completions bash)",
            "msorch completions zsh > \"${fpath[1]}/_msorch\"",
            "msorch completions fish > ~/.config/fish/completions/msorch.fish",
        ],
        run: { invocation in
            let script =
                switch invocation.arguments[0] {
                case "bash": bash
                case "zsh": zsh
                default: fish
                }
            try invocation.output.data(Array(script.utf8))
        })

    private static let bash = #"""
        _msorch() {
            local IFS=$'\n'
            COMPREPLY=($(msorch __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
        }
        complete -o default -F _msorch msorch

        """#

    private static let zsh = #"""
        #compdef msorch
        _msorch() {
            local -a found
            found=("${(@f)$(msorch __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
            if [[ -n "$found" ]]; then
                compadd -- "${found[@]}"
            else
                _files
            fi
        }
        if [[ "${funcstack[1]}" = _msorch ]]; then
            _msorch "$@"
        else
            compdef _msorch msorch
        fi

        """#

    private static let fish = #"""
        function __msorch_complete
            set -l words (commandline -opc)
            set -l found (msorch __complete $words[2..-1] (commandline -ct) 2>/dev/null)
            if test (count $found) -gt 0
                printf '%s\n' $found
            else
                __fish_complete_path (commandline -ct)
            end
        end
        complete -c msorch -f -a '(__msorch_complete)'

        """#
}
