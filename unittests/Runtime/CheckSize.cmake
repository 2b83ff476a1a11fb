# cmake -DSTRIP=... -DFILE=... -DLIMIT=bytes -DCOPY=... -P CheckSize.cmake
# Fails if the stripped library is larger than the limit.
file(COPY_FILE ${FILE} ${COPY})
execute_process(COMMAND ${STRIP} --strip-unneeded ${COPY} RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${STRIP} failed on ${COPY}")
endif()
file(SIZE ${COPY} size)
message(STATUS "${FILE}: ${size} bytes stripped")
if(size GREATER LIMIT)
  message(FATAL_ERROR "${FILE} has ${size} bytes stripped, the limit is ${LIMIT}")
endif()
