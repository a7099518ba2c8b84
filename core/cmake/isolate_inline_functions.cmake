# Links OBJECTS into the one object OUTPUT and makes its inline functions (weak symbols in code) local, except those
# that belong to the namespace of LEVEL and so exist nowhere else.
# Dissolving the link-once groups first keeps the linker from throwing this copy away in favour of another.
string(REPLACE "|" ";" OBJECTS "${OBJECTS}")
execute_process(COMMAND "${LINKER}" -r --force-group-allocation -o "${OUTPUT}.linked" ${OBJECTS}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${NM}" --defined-only "${OUTPUT}.linked" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]* W [^\n]+" weak "${symbols}")
string(LENGTH "${LEVEL}" length)
list(FILTER weak EXCLUDE REGEX "${length}${LEVEL}")
list(TRANSFORM weak REPLACE ".* W " "")
list(JOIN weak "\n" names)
file(WRITE "${OUTPUT}.inline" "${names}\n")
execute_process(COMMAND "${OBJCOPY}" "--localize-symbols=${OUTPUT}.inline" "${OUTPUT}.linked" "${OUTPUT}"
  COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE "${OUTPUT}.linked")
