# Sourced by scripts that run programs of Debian without root and without installing them.
# shellcheck shell=bash

# unpack_debian downloads packages that are not there yet to a folder, and unpacks all of them there: unpack_debian FOLDER PACKAGE...
unpack_debian() {
	local folder=$1 package
	shift
	if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
		echo "only Debian has the packages $*, and this machine has no apt-get or no dpkg-deb"
		return 1
	fi
	mkdir -p "$folder/packages"
	for package in "$@"; do
		compgen -G "$folder/packages/${package}_*.deb" >/dev/null || (cd "$folder/packages" && apt-get download "$package") || {
			echo "apt-get cannot download $package"
			return 1
		}
		dpkg-deb -x "$folder/packages/$package"_*.deb "$folder"
	done
	rm -rf "$folder/usr/share/doc" # has Go files, for which other steps look
}
