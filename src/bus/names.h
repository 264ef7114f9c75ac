/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Every name that is seen on the bus. Other layers and the command line take them from here.
 * The "1" is the version of the interface: it changes only when something incompatible does. */

#define BUS_NAME                     "org.vfio.Bind1"
#define BUS_ROOT                     "/org/vfio/Bind1"
#define BUS_PATH_NONE                "/"

#define BUS_INTERFACE_MANAGER           BUS_NAME ".Manager"
#define BUS_INTERFACE_DEVICE            BUS_NAME ".Device"
#define BUS_INTERFACE_GROUP             BUS_NAME ".Group"
#define BUS_INTERFACE_CLAIM             BUS_NAME ".Claim"
#define BUS_INTERFACE_PHYSICAL_FUNCTION BUS_NAME ".PhysicalFunction"

/* What comes below: pci_0000_01_00_0, 14, and names as sd_bus_path_encode(3) writes them. */
#define BUS_PREFIX_DEVICE            BUS_ROOT "/device"
#define BUS_PREFIX_GROUP             BUS_ROOT "/group"
#define BUS_PREFIX_CLAIM             BUS_ROOT "/claim"
#define BUS_PREFIX_PHYSICAL_FUNCTION BUS_ROOT "/physical_function"

/* polkit actions */
#define BUS_ACTION_BIND           BUS_NAME ".bind"
#define BUS_ACTION_RELEASE        BUS_NAME ".release"
#define BUS_ACTION_APPLY          BUS_NAME ".apply"
#define BUS_ACTION_RELOAD         BUS_NAME ".reload"
#define BUS_ACTION_OVERRIDE_GUARD BUS_NAME ".override-guard"
#define BUS_ACTION_INSPECT        BUS_NAME ".inspect"

/* Errors: these, and BUS_ERROR_PREFIX with any reason in CamelCase ("InUseNetwork"). */
#define BUS_ERROR_PREFIX                BUS_NAME ".Error."
#define BUS_ERROR_NO_SUCH_DEVICE        BUS_ERROR_PREFIX "NoSuchDevice"
#define BUS_ERROR_NO_SUCH_GROUP         BUS_ERROR_PREFIX "NoSuchGroup"
#define BUS_ERROR_NO_SUCH_CLAIM         BUS_ERROR_PREFIX "NoSuchClaim"
#define BUS_ERROR_INVALID_CONFIGURATION BUS_ERROR_PREFIX "InvalidConfiguration"
#define BUS_ERROR_BUSY                  BUS_ERROR_PREFIX "Busy"

/* Options of the methods that take a{sv}. */
#define BUS_OPTION_DRIVER       "driver"
#define BUS_OPTION_COMPANIONS   "companions"
#define BUS_OPTION_ALLOW_IN_USE "allow-in-use"
#define BUS_OPTION_PRUNE        "prune"
#define BUS_OPTION_NO_PROBE     "no-probe"
#define BUS_OPTION_NEXT_BOOT    "next-boot"

/* What Manager.ListDevices and .ListClaims say of each object, in a structure: properties of
 * Device and of Claim, in the order in which those interfaces have them. */
#define BUS_LISTED_DEVICE "ssssssssssssssssssssou"
#define BUS_LISTED_CLAIM  "s(su)asasssassss"

/* Words of Manager that no enum of core/ has. */
#define BUS_UNKNOWN "unknown"

/* Neighbours */
#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define LOG_CONTROL_PATH      "/org/freedesktop/LogControl1"
#define LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"
#define DBUS_NAME      "org.freedesktop.DBus"
#define DBUS_PATH      "/org/freedesktop/DBus"
#define DBUS_INTERFACE "org.freedesktop.DBus"
#define DBUS_LOCAL_NAME      "org.freedesktop.DBus.Local"
#define DBUS_LOCAL_PATH      "/org/freedesktop/DBus/Local"
#define DBUS_LOCAL_INTERFACE "org.freedesktop.DBus.Local"
