#!/bin/sh
# Unpacks other people's mail servers into .peers, for tests/interop. Nothing is installed, configured or started, so that
# Postfix and Exim, which conflict as packages, stand beside each other and the machine stays as it is. Needs no root.
set -eu
cd "$(dirname "$0")/../.."
wanted="postfix exim4-daemon-light exim4-base swaks libnet-dns-perl libnet-ssleay-perl libnss-wrapper knot unbound opendkim rspamd pgbouncer prometheus"

if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
  echo "make peers: the packages are Debian's, and there is no apt-get and dpkg here" >&2
  exit 1
fi
# A fresh container has no lists of packages; only root may fetch them
if [ "$(id -u)" = 0 ] && ! apt-cache show $wanted >/dev/null 2>&1; then
  apt-get update -qq
fi

# Each release of Debian has another PostgreSQL
wanted="$wanted $(apt-cache depends postgresql | sed -n 's/.*Depends: \(postgresql-[0-9]*\)$/\1/p')"

rm -rf .peers
mkdir -p .peers/packages
cd .peers/packages
# What they need and this machine lacks; each by itself, for together they conflict
needed=$(for name in $wanted; do
  LC_ALL=C apt-get install --simulate --no-install-recommends "$name" 2>/dev/null | sed -n '/^Inst lib\(llvm\|z3\)/d; s/^Inst \([^ ]*\) .*/\1/p' # without PostgreSQL's compiler
done)
# root may not write as apt's own user here, which apt says in a warning
if ! apt-get download -qq $(printf '%s\n' $wanted $needed | sort -u) 2>errors; then
  cat errors >&2
  echo "make peers: the packages cannot be downloaded; does 'apt-get update' work?" >&2
  exit 1
fi
for package in *.deb; do
  dpkg -x "$package" ..
done
cd ..
rm -r packages
find . -type f -perm /6000 -exec chmod ug-s {} + # no way to become root lies about in a clone
chmod 755 .
touch ready
