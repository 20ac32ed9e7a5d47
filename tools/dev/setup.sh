# ./dev setup: installs what is missing and nothing else.
#
# Debian packages (tools/dev/packages.txt) through apt-get, as root or with sudo;
# Python packages (tools/dev/requirements.txt) into .deps/venv of this folder.
# Safe to run again; says what it installs.
[ "$(uname -m)" = x86_64 ] || die "this machine is $(uname -m); Halide's package exists for x86-64 only" "build on x86-64; ARM is a target, not a host"
command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || die "this is not a Debian system" \
  "use Debian 12, or install what tools/dev/packages.txt and docs/dependencies.md list by hand"

list_packages() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' -e 's/[[:space:]]*|[[:space:]]*/|/g' "$QLATHE_ROOT/tools/dev/packages.txt"; }

# Fills missing=(name...) and wrong=("name is version, wanted version"...).
check_packages() {
  local name status version prefix why
  local -A installed=()
  missing=() wrong=()
  while read -r name status version; do
    [ "$status" != installed ] || installed[$name]=$version
  done < <(list_packages | cut -d'|' -f1 | xargs dpkg-query -W -f '${Package} ${db:Status-Status} ${Version}\n' 2>/dev/null)
  while IFS='|' read -r name prefix why; do
    version=${installed[$name]:-}
    if [ -z "$version" ]; then
      missing+=("$name")
    elif [ "$prefix" != '*' ] && [[ "$version" != "$prefix"* ]]; then
      wrong+=("$name is $version, wanted $prefix*")
    fi
  done < <(list_packages)
}

# Sets as_root=(command...) in front of what needs root rights.
find_root_rights() {
  as_root=()
  [ "$(id -u)" -ne 0 ] || return 0
  command -v sudo >/dev/null || die "root rights are needed to install packages" "run './dev setup' once as root, or install sudo"
  as_root=(sudo)
  # Where nobody is there to type a password, sudo must not ask for one.
  if [ -n "${CI:-}" ] || [ ! -t 0 ]; then as_root=(sudo -n); fi
}

# apt-get prints hundreds of lines; they are shown only when it fails.
apt() {
  local log="$QLATHE_ROOT/.deps/apt.log"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 \
    -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    return 1
  }
}

install_packages() {
  check_packages
  if [ ${#missing[@]} -gt 0 ]; then
    find_root_rights
    note "setup: installing Debian packages (log: .deps/apt.log): ${missing[*]}"
    apt update || die "apt-get update failed" "read its message above: it needs the network, and root or sudo"
    apt install --no-install-recommends "${missing[@]}" ||
      die "apt-get could not install: ${missing[*]}" "read its message above; Debian 12 (bookworm) has all of them. As a user, sudo must work: run './dev setup' once in a terminal"
    check_packages
  fi
  [ ${#missing[@]} -eq 0 ] || die "still missing after installation: ${missing[*]}"
  if [ ${#wrong[@]} -gt 0 ]; then
    printf 'dev: wrong version: %s\n' "${wrong[@]}" >&2
    die "some packages are not the pinned versions" "use Debian 12, or change tools/dev/packages.txt and run the tests"
  fi
}

# True when the environment works where it is now (it may have been moved) and holds the pinned versions.
python_environment_ready() {
  [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -I "$QLATHE_ROOT/tools/dev/check_venv.py" "$QLATHE_ROOT/tools/dev/requirements.txt" &&
    "$VENV/bin/cmake" --version >/dev/null 2>&1
}

install_python_environment() {
  ! python_environment_ready 2>/dev/null || return 0
  note "setup: installing into .deps/venv: $(sed -n 's/^\([a-z][^ ]*\) .*/\1/p' "$QLATHE_ROOT/tools/dev/requirements.txt" | tr '\n' ' ')"
  # Debian's own interpreter, not whatever python3 a version manager puts first.
  /usr/bin/python3 -m venv --clear "$VENV"
  "$VENV/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --progress-bar off --no-deps \
    --only-binary :all: --require-hashes -r "$QLATHE_ROOT/tools/dev/requirements.txt" ||
    die "pip could not install tools/dev/requirements.txt" "read its message above; check the network"
  python_environment_ready || die "the Python environment .deps/venv does not work after installation"
}

# The usual case, everything in place, must not wait for another run.
check_packages
if [ ${#missing[@]} -eq 0 ] && [ ${#wrong[@]} -eq 0 ] && python_environment_ready 2>/dev/null; then
  note "setup: everything is in place"
else
  lock "$QLATHE_ROOT/.deps/setup.lock"
  install_packages
  install_python_environment
  note "setup: done"
fi
