# The part of the package that only Debian has, put beside what `cmake --install` has staged; CPack runs it before packing.

set(here ${CMAKE_CURRENT_LIST_DIR})
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
set(doc ${root}/usr/share/doc/tocsin)

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# SOURCE_DATE_EPOCH's, so that the same tree gives the same bytes.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)

# The service, its configuration, and where its secrets go.  Profiles have a place beside it.
file(COPY ${here}/../tocsin.service DESTINATION ${root}/usr/lib/systemd/system)
file(READ ${here}/../tocsin.yaml config)
string(REPLACE "systems: [../rules/systems]" "systems: [systems]         " config "${config}")
file(WRITE ${root}/etc/tocsin/tocsin.yaml "${config}")
file(REMOVE_RECURSE ${doc}/examples)  # they are in force here
file(MAKE_DIRECTORY ${root}/etc/tocsin/systems ${root}/etc/tocsin/credentials)
file(CHMOD ${root}/etc/tocsin/credentials DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)

# Whose it is: ours, and what is compiled in from headers.  Libraries that are loaded bring their own.
file(READ ${here}/copyright copyright)
foreach(package libcli11-dev nlohmann-json3-dev libtomlplusplus-dev)
  set(theirs /usr/share/doc/${package}/copyright)
  if(NOT EXISTS ${theirs})
    message(FATAL_ERROR "${theirs} is missing, and the package has to have it: install ${package} with its documents")
  endif()
  file(READ ${theirs} text)
  string(APPEND copyright "\n\n==== ${package} ====\n\n${text}")
endforeach()
file(WRITE ${doc}/copyright "${copyright}")

# What policy wants of documents.
file(WRITE ${doc}/changelog.Debian "tocsin (${CPACK_DEBIAN_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; \
urgency=medium\n\n  * What has changed: changelog.gz.\n\n -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}\n")
file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
run(gzip -9n ${doc}/changelog ${doc}/changelog.Debian ${root}/usr/share/man/man1/tocsin.1)
file(COPY ${here}/lintian-overrides DESTINATION ${root}/usr/share/lintian/overrides)
file(RENAME ${root}/usr/share/lintian/overrides/lintian-overrides ${root}/usr/share/lintian/overrides/tocsin)

# Whatever umask and clone say.
run(chmod -R u=rwX,go=rX ${root}/usr)
run(chmod 0755 ${root}/etc ${root}/etc/tocsin ${root}/etc/tocsin/systems)
run(chmod 0644 ${root}/etc/tocsin/tocsin.yaml)
if(NOT "$ENV{SOURCE_DATE_EPOCH}" STREQUAL "")
  run(find ${root} -exec touch --no-dereference --date=@$ENV{SOURCE_DATE_EPOCH} {} +)
endif()
