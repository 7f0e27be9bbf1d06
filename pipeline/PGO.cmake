# PGO.cmake: profile-guided optimization of a whole CMake project, in one build tree per stage. Copy this
# file to cmake/ and say in CMakeLists.txt, after project() and before the targets:
#
#     list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_SOURCE_DIR}/cmake)
#     include(PGO)
#
# and after them what to train with, as for add_custom_target:
#
#     pgo_train(COMMAND frob ${CMAKE_CURRENT_SOURCE_DIR}/samples/small.txt)
#
# Then (with -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON, which is CMake's own ThinLTO, in any tree):
#
#     cmake -B build-train -DPGO=generate && cmake --build build-train --target pgo-train
#     cmake -B build -DPGO=use && cmake --build build
#
# Reads these cache variables:
#     PGO           off; generate: instrument, `pgo-train` writes PGO_PROFILE; use: optimize with
#                   PGO_PROFILE; cs-generate: both, for a context-sensitive second profile, which
#                   `pgo-train` writes beside the first, as NAME.cs.profdata
#     PGO_PROFILE   pgo.profdata in the project's directory. It can be committed. Its content is part of
#                   the flags, so that another profile rebuilds what it should.
# A missing profile, and training that fails or records nothing, is an error. Needs Clang and lld.

include_guard(GLOBAL)

if(CMAKE_SCRIPT_MODE_FILE) # started by pgo-train, to merge RAW (a directory) and FIRST into OUTPUT
    file(GLOB raw ${RAW}/*.profraw)
    if(NOT raw)
        message(FATAL_ERROR "PGO: training recorded no profile: the commands of pgo_train() have to "
            "run the project's programs, and these to end by exit() or by returning from main")
    endif()
    execute_process(COMMAND ${PROFDATA} merge -o ${OUTPUT} ${raw} ${FIRST} COMMAND_ERROR_IS_FATAL ANY)
    message(STATUS "PGO: wrote ${OUTPUT}")
    return()
endif()

set(PGO off CACHE STRING "profile-guided optimization: off, generate, cs-generate or use")
set_property(CACHE PGO PROPERTY STRINGS off generate cs-generate use)
set(PGO_PROFILE ${CMAKE_CURRENT_SOURCE_DIR}/pgo.profdata CACHE FILEPATH "merged profile")
set(_pgo_module ${CMAKE_CURRENT_LIST_FILE})
set(_pgo_raw ${CMAKE_CURRENT_BINARY_DIR}/pgo-raw)

if(NOT PGO MATCHES "^(off|generate|cs-generate|use)$")
    message(FATAL_ERROR "PGO is '${PGO}', it can be off, generate, cs-generate or use")
elseif(NOT PGO STREQUAL "off")
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "PGO needs Clang: give -DCMAKE_C_COMPILER=clang")
    endif()
    execute_process(COMMAND ${CMAKE_C_COMPILER} -print-prog-name=llvm-profdata
        OUTPUT_VARIABLE _pgo_profdata OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    add_link_options(-fuse-ld=lld)
endif()

# Static functions are named in a profile by the path of their file: no directory goes into it.
if(NOT PGO STREQUAL "off")
    add_compile_options("SHELL:-mllvm -static-func-full-module-prefix=false")
endif()

if(PGO MATCHES "use|cs-generate")
    if(NOT EXISTS ${PGO_PROFILE})
        message(FATAL_ERROR "PGO=${PGO} needs a profile, and there is no '${PGO_PROFILE}'. Make it:\n"
            "  cmake -B build-train -DPGO=generate && cmake --build build-train --target pgo-train")
    endif()
    file(SHA256 ${PGO_PROFILE} _pgo_hash)
    set(_pgo_copy ${CMAKE_CURRENT_BINARY_DIR}/pgo-${_pgo_hash}.profdata)
    configure_file(${PGO_PROFILE} ${_pgo_copy} COPYONLY) # and configures again when it changes
    add_compile_options(-fprofile-use=${_pgo_copy})
    add_link_options(-fprofile-use=${_pgo_copy})
endif()

if(PGO STREQUAL "generate")
    set(_pgo_output ${PGO_PROFILE})
    add_compile_options(-fprofile-generate)
    add_link_options(-fprofile-generate)
elseif(PGO STREQUAL "cs-generate")
    string(REGEX REPLACE "\\.profdata$" ".cs.profdata" _pgo_output ${PGO_PROFILE})
    add_compile_options(-fcs-profile-generate)
    add_link_options(-fcs-profile-generate)
endif()

# pgo_train(COMMAND program [arguments] [COMMAND ...]): a target pgo-train that runs the commands, in
# which a target's name stands for its program, and merges what they record.
function(pgo_train)
    if(NOT PGO MATCHES "generate")
        return()
    endif()
    set(commands)
    set(previous)
    foreach(word IN LISTS ARGN)
        if(previous STREQUAL "COMMAND")
            list(APPEND commands ${CMAKE_COMMAND} -E env LLVM_PROFILE_FILE=${_pgo_raw}/%m_%p.profraw)
            if(TARGET ${word})
                set(word $<TARGET_FILE:${word}>)
            endif()
        endif()
        list(APPEND commands ${word})
        set(previous ${word})
    endforeach()
    add_custom_target(pgo-train
        COMMAND ${CMAKE_COMMAND} -E rm -rf ${_pgo_raw}
        ${commands}
        COMMAND ${CMAKE_COMMAND} -DRAW=${_pgo_raw} -DFIRST=${_pgo_copy} -DOUTPUT=${_pgo_output}
            -DPROFDATA=${_pgo_profdata} -P ${_pgo_module}
        VERBATIM COMMENT "training")
endfunction()
