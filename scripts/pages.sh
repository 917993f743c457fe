# shellcheck shell=bash
# What scripts that execute pages of the documentation share: sourced by scripts/test-runbooks and
# scripts/test-privacy-guide. Splits a page into its blocks, executes them one by one as they stand, and
# looks in what came out for the lines that the page shows. docs/runbooks/README.md says how pages are
# written.
#
# Whoever sources this sets before:
#
#   program     its own name, for messages
#   tools       commands that the pages may use, and no others
#   places      other places than the desk where blocks run, by the word after ```sh: what the line before
#               must say of it; the directory is $here/WORD, its home directory $here/WORD-home
#   headings    words in bold that every section with commands needs: ("If not:" "Takes:"), or none
#
# and uses $temporary, $here (a directory below it, of one run) and the functions below.

set -euo pipefail
exec </dev/null

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
say() { printf '==> %s\n' "$*"; }
fail() {
    printf '%s: %s\n' "$program" "$*" >&2
    exit 1
}

temporary=$(mktemp -d)
# Processes of this script, by what they are: sandboxes by the name of their repository.
declare -A processes=()
finish() {
    # What a command of a page left running; the file is there only when this script ran that.
    local file what
    for file in "$temporary"/*/desk/desk/*.pid; do
        [[ -s $file ]] && kill "$(<"$file")" 2>/dev/null || true
    done
    for what in "${!processes[@]}"; do stop "$what"; done
    rm -rf "$temporary"
}
trap finish EXIT

# --- Tools --------------------------------------------------------------------------------------

install_tools() {
    local tool missing=() install=()
    for tool in curl jq; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]})) || return 0
    if [[ $(id -u) != 0 ]]; then install=(sudo -n); fi
    install+=(env DEBIAN_FRONTEND=noninteractive apt-get)
    say "installing ${missing[*]}"
    { "${install[@]}" install -yqq "${missing[@]}" ||
        { "${install[@]}" update -qq && "${install[@]}" install -yqq "${missing[@]}"; }; } >"$temporary/apt" 2>&1 ||
        { cat "$temporary/apt" >&2; fail "${missing[*]} missing, and cannot be installed"; }
}

prepare_tools() {
    local tool
    install_tools
    mkdir "$temporary/bin"
    for tool in "${tools[@]}"; do
        command -v "$tool" >/dev/null || fail "$tool is missing"
        tool=$(type -P "$tool") || continue
        ln -s "$tool" "$temporary/bin/"
    done
    if [[ -z ${PRISMVAULT_BIN:-} ]]; then
        say "building"
        (cd "$root" && cargo build --locked --release)
        PRISMVAULT_BIN=$(cd "$root" && cargo metadata --locked --no-deps --format-version 1 | jq -r .target_directory)/release/prismvault
    fi
    ln -s "$(realpath "$PRISMVAULT_BIN")" "$temporary/bin/prismvault"
}

# --- Repositories -------------------------------------------------------------------------------

# start_repository NAME OPTION…: a sandbox; its addresses are in $here/apis/NAME.json from then on.
start_repository() {
    local name=$1 answer=$here/apis/$1.json _
    shift
    : >"$answer"
    env -i PATH="$temporary/bin" HOME="$here/home" prismvault sandbox --json --name "$name" --port 0 "$@" \
        >"$answer" 2>"$here/apis/$name.log" &
    processes[$name]=$!
    for _ in $(seq 600); do
        [[ -s $answer ]] && jq -e . "$answer" >/dev/null 2>&1 && return
        kill -0 "${processes[$name]}" 2>/dev/null || { cat "$here/apis/$name.log" >&2; fail "no sandbox for $name"; }
        sleep 0.1
    done
    fail "the sandbox for $name does not answer"
}

stop() { # a process of this script
    [[ ${processes[$1]:-} ]] || return 0
    kill "${processes[$1]}" 2>/dev/null || true
    wait "${processes[$1]}" 2>/dev/null || true
    unset "processes[$1]"
}

stop_all() {
    local what
    for what in "${!processes[@]}"; do stop "$what"; done
}

address() { jq -r ".$2" "$here/apis/$1.json"; } # address NAME content_api
control() { # control NAME METHOD PATH: changes a repository
    curl -fsS -X "$2" "$(address "$1" control_api)$3"
}

# Repositories are at other addresses than Prismic's, here: says so in a configuration.
point_at_sandboxes() { # FILE
    local api name line
    for api in "$here"/apis/*.json; do
        name=$(basename "$api" .json)
        line=$(jq -r '"content_api = \"\(.content_api)\"\\nasset_api = \"\(.asset_api)\"\\ntypes_api = \"\(.types_api)\"\\nmigration_api = \"\(.migration_api)\""' "$api")
        # Those of an earlier sandbox go, so that one may begin anew at another port.
        sed -i "/^repository = \"$name\"\$/{n;/^content_api/{N;N;N;d}}" "$1"
        sed -i "s|^repository = \"$name\"\$|&\\n$line|" "$1"
    done
}

point_everybody() {
    local file
    for file in "$here"/*/prismvault.toml "$(<"$here/where")/prismvault.toml"; do
        # What lies in the safe is as it was on the day before.
        if [[ -f $file && $file != "$here/safe/"* ]]; then point_at_sandboxes "$file"; fi
    done
}

# --- The day before -----------------------------------------------------------------------------

# A backup host with a vault on two replicas and a first snapshot of acme-blog, which runs already, and a
# safe with the keys that do not lie on the host.
make_backup_host() { # ACCESS_TOKEN WRITE_TOKEN
    mkdir -p "$here"/{desk,host-home,host/tokens,safe,replicas}
    cat >"$here/host/prismvault.toml" <<END
[repositories.blog]
repository = "acme-blog"
access_token = { file = "tokens/blog-access" }
write_token = { file = "tokens/blog-write" }

[keys]
operator = { file = "keys/operator.txt" }
signing = { file = "keys/signing.key" }
recovery = { file = "keys/recovery.txt" }
root = { file = "keys/root.key" }

[[replicas]]
name = "frankfurt"
url = "file://$here/replicas/frankfurt"

[[replicas]]
name = "office"
url = "file://$here/replicas/office"

# Faster than Prismic allows: there is nobody to wait for.
[limits]
content_requests = 200
asset_requests = 50
types_requests = 50
migration_requests = 50
END
    echo "$1" >"$here/host/tokens/blog-access"
    echo "$2" >"$here/host/tokens/blog-write"
    chmod 600 "$here"/host/tokens/*
    point_at_sandboxes "$here/host/prismvault.toml"
    on_host 'prismvault init && prismvault snapshot' >"$here/init.log" 2>&1 || { cat "$here/init.log" >&2; fail "no vault"; }
    mv "$here/host/keys/recovery.txt" "$here/host/keys/root.key" "$here/safe/"
    cp "$here/host/prismvault.toml" "$here/safe/"
    cat >"$here/state" <<END
export HOME='$here/home'
export PATH='$temporary/bin'
END
    echo "$here/desk" >"$here/where"
}

# What the pages name in their heads.
set_variable() { printf "export %s='%s'\n" "$1" "$2" >>"$here/state"; }

on_host() { # COMMAND, with what the backup host has
    (cd "$here/host" && env -i PATH="$temporary/bin" HOME="$here/host-home" sh -euc "$1")
}
at_desk() { # COMMAND, for hooks: in the directory and with the variables that the page is in
    (cd "$(<"$here/where")" && env -i PATH="$temporary/bin" sh -euc "umask 077; . '$here/state'; $1")
}

# --- Reading and executing a page ---------------------------------------------------------------

# Splits a page into files $parts/NUMBER.{info,body,seen,section,line}, one number for each ```sh block.
split() { # PAGE FILE, [SECTION]: only the blocks below that heading
    parts=$2
    mkdir -p "$parts"
    local word wanted_places='' wanted_headings=''
    for word in "${!places[@]}"; do wanted_places+="$word|${places[$word]}|"; done
    for word in "${headings[@]}"; do wanted_headings+="$word|"; done
    awk -v parts="$parts" -v only="${3:-}" -v places="$wanted_places" -v headings="$wanted_headings" '
        function complain(what) { print FILENAME ":" FNR ": " what; bad = 1 }
        function close_section(    i) {
            for (i = 1; i < heads; i++)
                if (blocks && !has[i]) complain("the section \"" section "\" lacks \"" head[i] "\"")
        }
        BEGIN {
            heads = split(headings, head, "|")
            pairs = split(places, pair, "|")
        }
        !inside && /^## / { close_section(); section = substr($0, 4); blocks = 0; delete has }
        !inside { for (i = 1; i < heads; i++) if (index($0, "**" head[i] "**")) has[i] = 1 }
        !inside && /^```(sh|text)/ {
            inside = 1
            wanted = only == "" || section == only
            if (/^```sh/) {
                if (waits) complain("what is to be seen after the block before is missing")
                if (!/person/) blocks++
                for (i = 1; i < pairs; i += 2)
                    if (index($0 " ", " " pair[i] " ") && index(before, pair[i + 1]) == 0)
                        complain("the line before does not say that it is on the " pair[i + 1])
                waits = !/person/
                if (wanted) {
                    n++
                    file = sprintf("%s/%03d", parts, n)
                    info = $0; sub(/^```sh ?/, "", info)
                    print info >(file ".info"); print section >(file ".section"); print FNR >(file ".line")
                    close(file ".info"); close(file ".section"); close(file ".line")
                    printf "" >(file ".seen"); close(file ".seen")
                    target = file ".body"; printf "" >target
                }
            } else {
                if (!waits) complain("a block of text that belongs to no command")
                waits = 0
                target = file ".seen"
            }
            next
        }
        !inside && /^```/ { inside = 1; wanted = 0; next }
        inside && /^```$/ { inside = 0; close(target); next }
        inside && wanted { print >target }
        !inside && NF { before = $0 }
        END { close_section(); if (waits) complain("what is to be seen after the last block is missing"); exit bad }
    ' "$1" >"$parts/mistakes" || { cat "$parts/mistakes" >&2; fail "a page is not as docs/runbooks/README.md says"; }
}

# Looks for the lines that the page shows, in their order; … stands for anything.
seen() { # WANTED OUTPUT
    local wanted pattern line found
    exec 3< <(tr -s ' \t' ' ' <"$2")
    while IFS= read -r wanted; do
        wanted=$(tr -s ' \t' ' ' <<<"$wanted")
        [[ $wanted && $wanted != "…" ]] || continue
        pattern=$(sed 's/[][*?\\]/\\&/g; s/…/*/g' <<<"$wanted")
        found=
        while IFS= read -r line <&3 || [[ $line ]]; do
            # shellcheck disable=SC2053 # The right side is a pattern.
            if [[ $line == *$pattern* ]]; then found=yes; break; fi
        done
        if [[ ! $found ]]; then
            printf '%s' "$wanted"
            exec 3<&-
            return 1
        fi
    done <"$1"
    exec 3<&-
}

# One block: in a shell of its own that knows what was exported before, as one that goes on does.
execute() { # PART
    local part=$1 info expected=0 place=desk word hook='' code=0 output=$1.output line variable
    read -r info <"$part.info" || true
    line="$(basename "$page"):$(<"$part.line")"
    for word in $info; do
        case $word in
        exit=*) expected=${word#exit=} ;;
        person) ;;
        *)
            if [[ ${places[$word]:-} ]]; then
                place=$word
            else
                [[ $info == "person $word" ]] || fail "$line: unknown word $word"
                hook=$word
            fi
            ;;
        esac
    done
    if [[ $hook ]]; then
        declare -F "person_$hook" >/dev/null || fail "$line: there is no person_$hook"
        "person_$hook"
        # What the page tells a person to set is set.
        while read -r variable; do
            grep -q "^export $variable='" "$here/state" || fail "$line: person_$hook does not set $variable"
        done < <(sed -n 's/^export \([A-Z_]*\)=.*/\1/p' "$part.body")
        point_everybody
        return
    fi
    if [[ $place == desk ]]; then
        (cd "$(<"$here/where")" && env -i PATH="$temporary/bin" sh -eu -c "
            . '$here/state'
            trap 'export -p >\"$here/state.next\"; pwd >\"$here/where\"' EXIT
            . '$part.body'") >"$output" 2>&1 || code=$?
        mv "$here/state.next" "$here/state"
    else
        (cd "$here/$place" && env -i PATH="$temporary/bin" sh -eu -c \
            ". '$here/state'; export HOME='$here/$place-home'; . '$part.body'") >"$output" 2>&1 || code=$?
    fi
    if ((code != expected)); then
        sed 's/^/    /' "$output" >&2
        fail "$line: exit code $code, and not $expected"
    fi
    local missing
    if ! missing=$(seen "$part.seen" "$output"); then
        sed 's/^/    /' "$output" >&2
        fail "$line: not seen: $missing"
    fi
    point_everybody
}

run_parts() { # FILE, [SECTION]: executes; adds the number of blocks to `steps`
    local part
    page=$1
    split "$1" "$here/parts-$(basename "$1" .md)-${#2}" "$2"
    for part in "$parts"/*.body; do
        [[ -e $part ]] || continue
        execute "${part%.body}"
        if ! grep -q person "${part%.body}.info"; then steps=$((steps + 1)); fi
    done
}
